/**
 * The receipt that came with a response, and what proves it, fetched with the credential the response was had for:
 *
 *     const response = await fetch('https://api.example.com/forecast')
 *     const receipt = receiptOf(response)                  // signed, and in a log by the word of its service
 *     const proof = receipt && (await proofOf(receipt))    // once the body was read: a text to keep
 *     if (proof) Proof.verify(proof, { policy })           // offline, years later, by anyone
 */
import { fromHex, type Bytes } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import * as Proof from '../core/Proof.ts'
import * as Receipt from '../core/Receipt.ts'
import type { Jar } from '../storage/Jar.ts'
import { readRequest, send, type Fetch } from './request.ts'
import { presentation, readToken, type Token } from './token.ts'
import { createTimes, type Times } from './times.ts'

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
  const text = await ask(source, receipt.id)
  checkSame(text, (payload) =>
    receipt.carried ? payload === receipt.carried.envelope.payload : Receipt.parse(payload).id === receipt.id,
  )
  return text
}

/**
 * The same proof as it is now: under a checkpoint that witnesses have seen by now, with a delivery that was logged later. The
 * jar knows where it was bought and with what. Throws what `proofOf` throws, and RECEIPT_UNKNOWN when the jar does not.
 */
export async function renewProof(
  proof: string | Bytes,
  {
    jar,
    fetch = globalThis.fetch,
    clock = () => new Date(),
  }: { readonly jar: Pick<Jar, 'get'>; readonly fetch?: Fetch; readonly clock?: () => Date },
): Promise<string> {
  const { payload } = Proof.decode(proof).receipts[0]!.receipt
  const { id, deal } = Receipt.parse(payload)
  const kept = await jar.get(fromHex(deal))
  if (!kept) throw new TallyError('RECEIPT_UNKNOWN', 'the jar holds nothing that was bought with this payment')
  const token = readToken({ scheme: kept.scheme, macaroon: kept.macaroon, preimage: kept.preimage })
  const text = await ask({ fetch, token, times: createTimes(clock), origin: kept.origin }, id)
  checkSame(text, (now) => now === payload)
  return text
}

async function ask({ fetch, token, times, origin }: Source, id: string): Promise<string> {
  const request = await readRequest(`${origin}${PATH}${id}`)
  const response = await send(fetch, request, await presentation(token, request, times.now(origin)))
  const text = await response.text()
  if (response.status === 404) throw new TallyError('RECEIPT_UNKNOWN', `${origin} has no receipt ${id} for us`)
  if (response.status !== 200 || text.length > MOST)
    throw new TallyError('RECEIPT_UNAVAILABLE', `${origin} answered ${response.status} when asked for a receipt`)
  return text
}

function checkSame(proof: string, isSame: (payload: string) => boolean): void {
  if (!isSame(Proof.decode(proof).receipts[0]!.receipt.payload))
    throw new TallyError('PROOF_INVALID', 'the proof is of another receipt than the one that was asked for', {
      details: { reason: 'chain' },
    })
}
