/**
 * A Payer that asks a wallet running elsewhere: another process on this machine, which holds the keys to the money. Over its
 * unix socket, or over loopback HTTP with a bearer token. The wire is described in walletWire.ts.
 */
import { request, type IncomingMessage, type RequestOptions } from 'node:http'
import type { Msat } from '../core/Amount.ts'
import { toHex } from '../core/bytes.ts'
import { errors, TallyError, type ErrorCode } from '../core/errors.ts'
import type { Payer, Payment } from './Lightning.ts'
import { orPending, payable } from './request.ts'
import { asObject, asText, decodeMsat, decodePayment, encodePay } from './walletWire.ts'

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
  const target: RequestOptions = {
    ...parseAddress(address),
    ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
  }

  async function ask<T>(path: string, decode: (json: Readonly<Record<string, unknown>>) => T): Promise<T> {
    try {
      const get = { ...target, method: 'GET', path, signal: AbortSignal.timeout(PATIENCE_MS) }
      return understand(await exchange(get), decode)
    } catch (error) {
      throw unavailable(address, error)
    }
  }

  async function start(bolt11: string, maxFee: Msat, signal: AbortSignal | undefined): Promise<Payment> {
    try {
      const post = { ...target, method: 'POST', path: '/pay', ...(signal && { signal }) }
      return understand(await exchange(post, encodePay({ bolt11, maxFee })), decodePayment)
    } catch (error) {
      // Whoever got the request may be paying, whatever became of the answer.
      if (error instanceof Lost && error.delivered) return { state: 'pending' }
      throw unavailable(address, error)
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
    lookupPayment: (paymentHash) =>
      ask(`/payments/${toHex(paymentHash)}`, ({ payment }) => (payment === null ? undefined : decodePayment(payment))),
    balance: () => ask('/balance', ({ balanceMsat }) => decodeMsat(balanceMsat, 'balanceMsat')),
  }
}

/** There is no answer that can be understood. `delivered`: the other side may have got the request. */
class Lost extends Error {
  readonly delivered: boolean

  constructor(message: string, delivered: boolean) {
    super(message)
    this.delivered = delivered
  }
}

interface Answer {
  readonly status: number
  readonly body: string
}

function parseAddress(address: string): RequestOptions {
  if (address.startsWith('unix:/')) return { socketPath: address.slice('unix:'.length) }
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url?.protocol !== 'http:' || !['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname))
    throw new TallyError('USAGE', 'a wallet address is unix:/path/to/wallet.sock or http://127.0.0.1:port')
  return { host: url.hostname.replace(/[[\]]/g, ''), port: url.port }
}

function exchange(options: RequestOptions, json?: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let delivered = false
    const fail = (error: Error): void => reject(new Lost(error.message, delivered))
    // A connection per call: one taken from a pool may be dead, and then nobody knows whether the request got through.
    const outgoing = request({ ...options, agent: false }, (response) => {
      read(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), fail)
    })
    outgoing.on('socket', (socket) => socket.once('connect', () => (delivered = true)))
    outgoing.on('error', fail)
    if (json) outgoing.setHeader('content-type', 'application/json').end(JSON.stringify(json))
    else outgoing.end()
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

/** What a 200 says. Throws the TallyError the wallet answered with; Lost for everything that a wallet would not say. */
function understand<T>({ status, body }: Answer, decode: (json: Readonly<Record<string, unknown>>) => T): T {
  let refusal: TallyError
  try {
    const json = asObject(JSON.parse(body))
    if (status === 200) return decode(json)
    const code = asText(json['code'], 'code')
    if (!Object.hasOwn(errors, code)) throw new TallyError('ENCODING_INVALID', 'wallet: unknown code')
    refusal = new TallyError(code as ErrorCode, asText(json['detail'], 'detail'))
  } catch (error) {
    // The message of a SyntaxError quotes what was read, which may be a preimage.
    const reason = TallyError.is(error) ? error.message : 'no JSON'
    throw new Lost(`not the answer of a wallet (status ${status}): ${reason}`, true)
  }
  throw refusal
}

function unavailable(address: string, error: unknown): unknown {
  if (!(error instanceof Lost)) return error
  return new TallyError('NODE_UNAVAILABLE', `no wallet at ${address}: ${error.message}`, { cause: error })
}
