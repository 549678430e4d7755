/**
 * What the wallet answers, apart from how it is reached: one function per question, a `Payer` behind them. Whoever gets this far
 * may spend everything the payer has.
 */
import { Bytes, TallyError } from 'tallystick/core'
import type { Payer } from 'tallystick/lightning'
import { decodePay, encodePayment } from 'tallystick/lightning/walletd'

export interface WalletRequest {
  readonly method: string
  readonly path: string
  readonly body: string
  /** Aborts when the caller hung up. The payment goes on. */
  readonly signal: AbortSignal
}

export interface WalletAnswer {
  readonly status: number
  readonly body: object
}

export async function answerWallet(payer: Payer, request: WalletRequest): Promise<WalletAnswer> {
  const { method, path, body, signal } = request
  try {
    if (method === 'POST' && path === '/pay') {
      const payment = await payer.pay({ ...decodePay(parseJson(body)), signal })
      return { status: 200, body: encodePayment(payment) }
    }
    const hash = /^\/payments\/([0-9a-f]{64})$/.exec(path)?.[1]
    if (method === 'GET' && hash !== undefined) {
      const payment = await payer.lookupPayment(Bytes.fromHex(hash))
      return { status: 200, body: { payment: payment ? encodePayment(payment) : null } }
    }
    if (method === 'GET' && path === '/balance')
      return { status: 200, body: { network: payer.network, balanceMsat: String(await payer.balance()) } }
    throw new TallyError(
      'ENCODING_INVALID',
      'wallet: expected POST /pay, GET /payments/<64 hex digits> or GET /balance',
    )
  } catch (error) {
    if (TallyError.is(error)) return { status: error.status, body: error.toProblem() }
    // Without a code: this does not tell whether money moved.
    return { status: 500, body: { type: 'about:blank', title: 'The wallet failed', status: 500 } }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new TallyError('ENCODING_INVALID', 'wallet: the body is not JSON')
  }
}
