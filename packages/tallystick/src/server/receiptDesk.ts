/**
 * Where a holder fetches what proves its receipt, when the response is over and the log has it:
 *
 *     GET /.well-known/tally/receipts/<id>      with the credential that the use was made with, or that it was narrowed from
 *
 * An expired, spent or revoked one will do: what was done stays done. To all others there is no such receipt.
 */
import type { Authentic } from '../core/Capability.ts'
import { fromHex } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import * as LogProof from '../core/LogProof.ts'
import * as Proof from '../core/Proof.ts'
import * as Receipt from '../core/Receipt.ts'
import type { Entry } from '../storage/Book.ts'
import type { Store } from '../storage/Store.ts'
import { problemAnswer } from './answer.ts'
import type { Answer, Call } from './Call.ts'
import type { IssuerOptions } from './issuer.ts'

export const RECEIPTS_PATH = '/.well-known/tally/receipts/'

export interface Archive {
  readonly log: Pick<IssuerOptions['log'], 'prove' | 'book'>
  readonly store: Pick<Store, 'quoted'>
}

/** Of the receipts of one deal, how many are looked through for those that follow one. */
const MOST = 1000
/** That go into one bundle. */
const MOST_FOLLOWING = 8

/**
 * Everything that is kept about a receipt, but the preimage. Throws RECEIPT_UNKNOWN when its content was dropped.
 */
export async function bundleOf({ log, store }: Archive, entry: Entry): Promise<Proof.Bundle> {
  const [quote, later] = await Promise.all([
    store.quoted(fromHex(entry.deal)),
    log.book.find({ deal: entry.deal, after: entry.index, limit: MOST }),
  ])
  const first = await shown(log, entry)
  const known = new Set([Receipt.digest(first.receipt)])
  const receipts = [first]
  for (const next of later) {
    if (next.kind === 'settle' || next.kind === 'denial' || !next.content || receipts.length > MOST_FOLLOWING) continue
    const { payload } = Receipt.decode(next.content.envelope)
    const { prev } = Receipt.parse(payload)
    if (prev === undefined || !known.has(prev)) continue
    known.add(Receipt.digest({ payload }))
    receipts.push(await shown(log, next))
  }
  return { receipts, ...(quote && { bolt11: quote.bolt11, terms: quote.terms }) }
}

async function shown(log: Pick<Archive['log'], 'prove'>, { content, index }: Entry): Promise<Proof.Shown> {
  if (!content) throw new TallyError('RECEIPT_UNKNOWN', 'what this receipt said was dropped')
  const { envelope, salt } = content
  return { receipt: Receipt.decode(envelope), salt, proof: LogProof.format(await log.prove(index)) }
}

export function createReceiptDesk(
  options: Archive & {
    readonly flushed: () => Promise<void>
    /** Who asks; undefined without a credential. Throws for one that is not good. */
    readonly presented: (call: Call) => Promise<Authentic | undefined>
  },
): (call: Call) => Promise<Answer | undefined> {
  return async (call) => {
    const [path] = call.target.split('?', 1)
    if (call.method !== 'GET' || !path!.startsWith(RECEIPTS_PATH)) return undefined
    try {
      const id = path!.slice(RECEIPTS_PATH.length)
      await options.flushed()
      const entry = /^[0-9a-f]{32}$/.test(id) ? await options.log.book.get(id) : undefined
      const hand = (await options.presented(call))?.hands.at(-1)
      if (!entry || !hand || !entry.hands.some(({ tag }) => tag === hand.tag))
        throw new TallyError('RECEIPT_UNKNOWN', 'there is no such receipt for this credential')
      return {
        status: 200,
        headers: [
          ['cache-control', 'no-store'],
          ['content-type', 'application/json'],
        ],
        body: Proof.encode(await bundleOf(options, entry)),
      }
    } catch (error) {
      if (!TallyError.is(error)) throw error
      return problemAnswer(call, error)
    }
  }
}
