/**
 * A Payer that asks a wallet running elsewhere: another process on this machine, which holds the keys to the money. Over its
 * unix socket, or over loopback HTTP with a bearer token. The wire is described in walletWire.ts.
 */
import { request, type IncomingMessage, type RequestOptions } from 'node:http'
import { toHex } from '../core/bytes.ts'
import { errors, TallyError, type ErrorCode } from '../core/errors.ts'
import type { Payer, Payment } from './Lightning.ts'
import { orPending, payable } from './request.ts'
import { asObject, decodeMsat, decodePayment, encodePay } from './walletWire.ts'

export * from './walletWire.ts'

export interface WalletdOptions {
  /** Needed over HTTP, where anybody on the machine could connect. */
  readonly token?: string
  /** BOLT 11 prefix of the wallet's network. */
  readonly network?: string
}

/** No answer to a question within this time counts as no wallet. A payment may take as long as it takes. */
const PATIENCE_MS = 10_000
const MAX_ANSWER = 65_536

/** `address`: `unix:/path/to/wallet.sock` or `http://127.0.0.1:port`. Connects when asked to do something, not before. */
export function walletd(address: string, options: WalletdOptions = {}): Payer {
  const { token, network = 'bcrt' } = options
  const target = parse(address)

  /** The JSON of a 200. Throws the TallyError the wallet answered with, or Lost. */
  async function ask(method: string, path: string, body?: object, signal?: AbortSignal): Promise<unknown> {
    const text = await exchange({ ...target, method, path }, address, token, body, signal)
    if (text.status === 200) return parseJson(text.body)
    const problem = asObject(parseJson(text.body))
    const code = String(problem['code'])
    if (!Object.hasOwn(errors, code)) throw new Lost(`${address} answered with status ${text.status}`, true)
    throw new TallyError(code as ErrorCode, String(problem['detail']))
  }

  const question = async (path: string): Promise<Readonly<Record<string, unknown>>> => {
    try {
      return asObject(await ask('GET', path, undefined, AbortSignal.timeout(PATIENCE_MS)))
    } catch (error) {
      throw unavailable(error)
    }
  }

  async function start(
    bolt11: string,
    maxFee: Parameters<Payer['pay']>[0]['maxFee'],
    signal?: AbortSignal,
  ): Promise<Payment> {
    try {
      return decodePayment(await ask('POST', '/pay', encodePay({ bolt11, maxFee }), signal))
    } catch (error) {
      // Whoever has read the request may be paying, whatever became of the answer.
      if (error instanceof Lost ? error.delivered : isUnreadable(error)) return { state: 'pending' }
      throw unavailable(error)
    }
  }

  return {
    network,
    async pay({ bolt11, maxFee, signal }) {
      const { paymentHash } = payable(bolt11, network)
      if (signal?.aborted) {
        const known = await this.lookupPayment(paymentHash)
        return known ?? { state: 'failed', reason: 'aborted before anything was sent' }
      }
      return orPending(start(bolt11, maxFee, signal), signal)
    },
    async lookupPayment(paymentHash) {
      const { payment } = await question(`/payments/${toHex(paymentHash)}`)
      return payment === null ? undefined : decodePayment(payment)
    },
    async balance() {
      return decodeMsat((await question('/balance'))['balanceMsat'], 'balanceMsat')
    },
  }
}

/** There is no answer. `delivered`: the other side may have got the request. */
class Lost extends Error {
  readonly delivered: boolean

  constructor(message: string, delivered: boolean) {
    super(message)
    this.delivered = delivered
  }
}

function parse(address: string): RequestOptions {
  if (address.startsWith('unix:/')) return { socketPath: address.slice('unix:'.length) }
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url?.protocol !== 'http:' || !['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname))
    throw new TallyError('USAGE', 'a wallet address is unix:/path/to/wallet.sock or http://127.0.0.1:port')
  return { host: url.hostname.replace(/[[\]]/g, ''), port: url.port }
}

function exchange(
  options: RequestOptions,
  address: string,
  token: string | undefined,
  body: object | undefined,
  signal: AbortSignal | undefined,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    let delivered = false
    const fail = (error: Error): void => reject(new Lost(`no wallet at ${address}: ${error.message}`, delivered))
    const text = body === undefined ? undefined : JSON.stringify(body)
    const headers = {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(text !== undefined && { 'content-type': 'application/json' }),
    }
    // A connection per call: one taken from a pool may be dead, and then nobody knows whether the request got through.
    const outgoing = request({ ...options, headers, agent: false, ...(signal && { signal }) }, (response) => {
      read(response).then((answer) => resolve({ status: response.statusCode ?? 0, body: answer }), fail)
    })
    outgoing.on('socket', (socket) => socket.once('connect', () => (delivered = true)))
    outgoing.on('error', fail)
    outgoing.end(text)
  })
}

async function read(response: IncomingMessage): Promise<string> {
  let text = ''
  response.setEncoding('utf8')
  for await (const chunk of response) {
    text += String(chunk)
    if (text.length > MAX_ANSWER) throw new Error('the answer is too long')
  }
  return text
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new TallyError('ENCODING_INVALID', 'wallet: the answer is not JSON')
  }
}

const isUnreadable = (error: unknown): boolean => TallyError.is(error) && error.code === 'ENCODING_INVALID'

function unavailable(error: unknown): unknown {
  if (!(error instanceof Lost) && !isUnreadable(error)) return error
  return new TallyError('NODE_UNAVAILABLE', (error as Error).message, { cause: error })
}
