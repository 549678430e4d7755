/** A dry run: what would this request cost? Asks like a paying fetch without a jar, and stops at the quote. */
import { discard, judge, type Quote } from './policy.ts'
import { ask } from './present.ts'
import { MOST_REDIRECTS, nextHop } from './redirects.ts'
import { readRequest, routeOf, type Fetch, type PayInit } from './request.ts'
import { createTimes } from './times.ts'

export interface Inspection {
  /** undefined when nothing has to be paid, or the server does not say how. */
  readonly quote: Quote | undefined
  /** The answer. With a quote it is the 402, and its body is taken. */
  readonly response: Response
}

/** Throws INVOICE_* or TERMS_* for a quote that a paying fetch would refuse, whatever its budget. */
export async function inspectOffer(
  fetch: Fetch,
  input: string | URL | Request,
  init: PayInit = {},
  options: { network?: string; clock?: () => Date } = {},
): Promise<Inspection> {
  const { network, clock = () => new Date() } = options
  const times = createTimes(clock)
  let request = await readRequest(input, init)
  for (let hop = 0; ; hop++) {
    const { response, offered } = await ask({ fetch, emit: () => {}, times }, request, undefined)
    if (offered) return { response, quote: judge(offered, routeOf(request), { network, now: clock() }) }
    const next = nextHop(request, response)
    if (!next) return { response, quote: undefined }
    if (hop === MOST_REDIRECTS) throw new TypeError(`more than ${MOST_REDIRECTS} redirects from ${request.url.origin}`)
    await discard(response)
    request = next
  }
}
