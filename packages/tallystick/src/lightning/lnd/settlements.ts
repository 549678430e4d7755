/**
 * What lnd was paid, in the order it numbers settlements (`settle_index`, from 1). SubscribeInvoices resumes behind any number but 0,
 * which it takes for "only what comes"; so the first settlement is looked for in the list of invoices.
 */
import type { Settlement } from '../Lightning.ts'
import { asObject, type Json, type Rest } from './rest.ts'
import { asCount, asMsat, asText, fromBase64Field } from './wire.ts'

const PAGE = 1000
/** Milliseconds between looks for the first settlement of a node that had none. */
const FIRST_LOOK = 250
const LONGEST_LOOK = 10_000

/** `after` of another node begins anew. */
export async function* followInvoices(
  rest: Rest,
  options: { readonly nodeId: string; readonly after: string | undefined; readonly signal: AbortSignal },
): AsyncGenerator<Settlement, void> {
  const { nodeId, signal } = options
  // Enough of it to tell nodes apart.
  const list = nodeId.slice(0, 16)
  const settlement = (json: Json): Settlement => ({
    cursor: `${list}-${asText(json, 'settle_index')}`,
    paymentHash: fromBase64Field(json, 'r_hash', 32),
    amount: asMsat(json, 'amt_paid_msat'),
    at: new Date(Number(asCount(json, 'settle_date')) * 1000),
  })

  const [of, number = ''] = options.after?.split('-') ?? []
  let index = of === list && /^[1-9][0-9]{0,19}$/.test(number) ? BigInt(number) : 0n
  if (index === 0n) {
    const first = await firstSettled(rest, signal)
    if (!first) return
    yield settlement(first)
    index = asCount(first, 'settle_index')
  }
  for await (const json of rest.stream({ path: `/v1/invoices/subscribe?settle_index=${index}`, signal })) {
    // New invoices are told on the same stream.
    if (json['state'] === 'SETTLED') yield settlement(json)
    if (signal.aborted) return
  }
}

/** Waits for it. undefined when aborted. */
async function firstSettled(rest: Rest, signal: AbortSignal): Promise<Json | undefined> {
  for (let delay = FIRST_LOOK; !signal.aborted; delay = Math.min(delay * 2, LONGEST_LOOK)) {
    const found = await lowest(rest, signal)
    if (found && asCount(found, 'settle_index') === 1n) return found
    // The first may have been settled behind our back, on a page we had read. If not, it is one that lnd does not list.
    if (found) return await lowest(rest, signal)
    await pause(delay, signal)
  }
  return undefined
}

/** The settled invoice with the lowest number, as far as there is one. */
async function lowest(rest: Rest, signal: AbortSignal): Promise<Json | undefined> {
  let found: Json | undefined
  for (let offset = '0'; !signal.aborted;) {
    const page = await rest.ask({ path: `/v1/invoices?index_offset=${offset}&num_max_invoices=${PAGE}` })
    const invoices = Array.isArray(page['invoices']) ? page['invoices'].map(asObject) : []
    for (const invoice of invoices) {
      if (invoice['state'] !== 'SETTLED') continue
      if (!found || asCount(invoice, 'settle_index') < asCount(found, 'settle_index')) found = invoice
      if (asCount(found, 'settle_index') === 1n) return found
    }
    if (invoices.length < PAGE) break
    offset = asText(page, 'last_index_offset')
  }
  return found
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
