/** Asks the gateway that runs here, as its operator, through the socket in its state directory. */
import { request as httpRequest, type RequestOptions } from 'node:http'
import { resolve } from 'node:path'
import { errors, TallyError, type ErrorCode } from 'tallystick/core'
import { findState, stateAt } from '../state.ts'
import { knownWallet } from '../state/wallet.ts'
import type { Option } from './Command.ts'
import type { Io } from './Io.ts'

export const stateOption = {
  type: 'value',
  value: 'DIR',
  help: 'state of the gateway that runs (default: the nearest .tally)',
} as const satisfies Option

/** Throws SERVER_UNREACHABLE when none runs, and whatever the gateway says. */
/** Without a body it is a GET. */
export async function askGateway(io: Io, dir: string | undefined, path: string, body?: object): Promise<unknown> {
  const state = dir === undefined ? findState(io.cwd) : stateAt(resolve(io.cwd, dir))
  const known = state && knownWallet(state, 'admin')
  if (!known) {
    const where = state ? `with the state in ${state.dir}` : `at or above ${io.cwd}`
    throw new TallyError('SERVER_UNREACHABLE', `no gateway runs ${where}`)
  }
  const place: RequestOptions = known.address.startsWith('unix:')
    ? { socketPath: known.address.slice('unix:'.length) }
    : { host: '127.0.0.1', port: new URL(known.address).port }
  const headers = known.token === undefined ? {} : { authorization: `Bearer ${known.token}` }
  const { status, text } = await send(
    { ...place, path, method: body ? 'POST' : 'GET', headers },
    body && JSON.stringify(body),
  )
  const said = JSON.parse(text) as { code?: string; detail?: string }
  if (status === 200) return said
  throw asError(said)
}

function send(options: RequestOptions, body: string | undefined): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void =>
      reject(new TallyError('SERVER_UNREACHABLE', `the gateway does not answer: ${cause.code ?? 'failed'}`, { cause }))
    const sending = httpRequest(options, (response) => {
      let text = ''
      response
        .setEncoding('utf8')
        .on('data', (chunk: string) => (text += chunk))
        .on('end', () => resolve({ status: response.statusCode!, text }))
        .on('error', fail)
    })
    sending.on('error', fail).end(body)
  })
}

/** What a server of ours answered, as the error it was there. */
export function asError({ code = '', detail = '' }: { code?: string; detail?: string }): TallyError {
  return Object.hasOwn(errors, code)
    ? new TallyError(code as ErrorCode, detail)
    : new TallyError('SERVER_UNREACHABLE', 'the gateway failed')
}
