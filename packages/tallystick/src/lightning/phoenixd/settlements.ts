/**
 * What phoenixd was paid, oldest first. It numbers nothing, so the cursor is the time it wrote down and the payment hash; it tells of
 * payments on a websocket as well, but only who listens then, so it is asked again and again instead.
 */
import { toHex } from '../../core/bytes.ts'
import type { Settlement } from '../Lightning.ts'
import type { Api } from './api.ts'
import { arrivedOf } from './records.ts'
import { asHash, asInteger, asList, asObject } from './wire.ts'

const PAGE = 500
/** Milliseconds. A preimage lets its payer in meanwhile; this is only the books catching up. */
const EVERY = 1000
/** Two payments of one millisecond need not be written down in the order of their hashes, and clocks are set back. */
const OVERLAP = 60_000

interface Paid extends Settlement {
  readonly ms: number
  readonly hash: string
}

/** `after` of another node begins anew. */
export async function* followPayments(
  api: Api,
  options: { readonly nodeId: string; readonly after: string | undefined; readonly signal: AbortSignal },
): AsyncGenerator<Settlement, void> {
  const { nodeId, signal } = options
  // Enough of it to tell nodes apart.
  const list = nodeId.slice(0, 16)
  const known = /^([0-9a-f]{16})-([0-9]{1,15})-([0-9a-f]{64})$/.exec(options.after ?? '')
  const begin = known?.[1] === list ? { ms: Number(known[2]), hash: known[3]! } : { ms: 0, hash: '' }
  let newest: { readonly ms: number; readonly hash: string } = begin
  const told = new Map<string, number>()

  while (!signal.aborted) {
    const from = Math.max(begin.ms, newest.ms - OVERLAP)
    for (const paid of (await paidSince(api, from)).sort(byTime)) {
      if (told.has(paid.hash) || byTime(paid, begin) <= 0) continue
      if (signal.aborted) return
      told.set(paid.hash, paid.ms)
      if (byTime(paid, newest) > 0) newest = paid
      const { paymentHash, amount, at } = paid
      yield { cursor: `${list}-${newest.ms}-${newest.hash}`, paymentHash, amount, at }
    }
    for (const [hash, ms] of told) if (ms < newest.ms - OVERLAP) told.delete(hash)
    await pause(EVERY, signal)
  }
}

const byTime = (a: { ms: number; hash: string }, b: { ms: number; hash: string }): number =>
  a.ms - b.ms || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0)

/** Newest first, page by page: one that arrives between two pages moves the rest, and is there twice rather than not at all. */
async function paidSince(api: Api, from: number): Promise<Paid[]> {
  const found: Paid[] = []
  for (let offset = 0; ; offset += PAGE) {
    const page = asList(await api.get(`/payments/incoming?from=${from}&limit=${PAGE}&offset=${offset}`))
    for (const item of page) {
      const json = asObject(item)
      const [paymentHash, ms] = [asHash(json, 'paymentHash'), asInteger(json, 'completedAt')]
      const hash = toHex(paymentHash)
      found.push({ cursor: '', paymentHash, amount: arrivedOf(json), at: new Date(ms), ms, hash })
    }
    if (page.length < PAGE) return found
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
