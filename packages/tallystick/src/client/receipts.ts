/**
 * The receipt that came with a response, and what proves it, fetched with the credential the response was had for:
 *
 *     const response = await fetch('https://api.example.com/forecast')
 *     const receipt = receiptOf(response)                  // signed, and in a log by the word of its service
 *     const proof = receipt && (await proofOf(receipt))    // once the body was read: a text to keep
 *     if (proof) Proof.verify(proof, { policy })           // offline, years later, by anyone
 */
import { TallyError } from '../core/errors.ts'
import * as Proof from '../core/Proof.ts'
import * as Receipt from '../core/Receipt.ts'
import { readRequest, send, type Fetch } from './request.ts'
import { presentation, type Token } from './token.ts'
import type { Times } from './times.ts'

export interface HeldReceipt {
  /** 32 hex digits. */
  readonly id: string
  readonly origin: string
  /** As the header had it; undefined when it was too long for one. Its signature is checked. */
  readonly carried: Receipt.Carried | undefined
}

interface Source {
  readonly fetch: Fetch
  readonly token: Token
  readonly times: Times
  readonly origin: string
}

const sources = new WeakMap<object, Source>()

export function rememberSource(response: Response, source: Source): void {
  if (response.headers.has(Receipt.HEADER)) sources.set(response, source)
}

/** undefined without one. Throws RECEIPT_MALFORMED or RECEIPT_INVALID for one that is none. */
export function receiptOf(response: Response): HeldReceipt | undefined {
  const source = sources.get(response)
  const text = response.headers.get(Receipt.HEADER)
  if (!source || text === null) return undefined
  const id = Receipt.referred(text)
  const carried = id === undefined ? Receipt.fromHeader(text) : undefined
  const receipt = { id: id ?? Receipt.check(carried!.envelope).id, origin: source.origin, carried }
  sources.set(receipt, source)
  return receipt
}

/** As `RECEIPTS_PATH` of the server. */
const PATH = '/.well-known/tally/receipts/'
/** As much as a proof may have. */
const MOST = 1 << 20

/**
 * The text to keep: receipt, delivery, and the way to a signed checkpoint. Ask when the body was read, and again later for
 * more cosignatures. Throws RECEIPT_UNKNOWN, RECEIPT_UNAVAILABLE, or PROOF_INVALID for something else than was asked for.
 */
export async function proofOf(receipt: HeldReceipt): Promise<string> {
  const source = sources.get(receipt)
  if (!source) throw new TypeError('proofOf: expected what receiptOf returned')
  const { fetch, token, times, origin } = source
  const request = await readRequest(`${origin}${PATH}${receipt.id}`)
  const response = await send(fetch, request, await presentation(token, request, times.now(origin)))
  const text = await response.text()
  if (response.status === 404) throw new TallyError('RECEIPT_UNKNOWN', `${origin} has no receipt ${receipt.id} for us`)
  if (response.status !== 200 || text.length > MOST)
    throw new TallyError('RECEIPT_UNAVAILABLE', `${origin} answered ${response.status} when asked for a receipt`)
  const [first] = Proof.decode(text).receipts
  const { payload } = first!.receipt
  const asked = receipt.carried
    ? payload === receipt.carried.envelope.payload
    : Receipt.parse(payload).id === receipt.id
  if (!asked)
    throw new TallyError('PROOF_INVALID', 'the proof is of another receipt than the one that came with the response', {
      details: { reason: 'chain' },
    })
  return text
}
