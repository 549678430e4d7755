/**
 * What a route sells: a price per call, and how a purchase is metered. An offer becomes an invoice, terms and the caveats
 * of the capability that paying the invoice brings to life.
 */
import * as Amount from '../core/Amount.ts'
import { msats, type AmountLike, type Msat } from '../core/Amount.ts'
import * as Caveat from '../core/Caveat.ts'
import { TallyError } from '../core/errors.ts'
import * as Network from '../core/Network.ts'
import { canonicalTarget } from '../core/Path.ts'
import * as PathPattern from '../core/PathPattern.ts'
import type { Call } from './Call.ts'
import type { Free } from './freebies.ts'
import type { Asked } from './prices.ts'

export type Mode =
  /** N calls, prepaid: the invoice is price × N. */
  | { readonly kind: 'uses'; readonly uses: number }
  /** A balance: the invoice is `amount`, each call draws its price, any route of the service may be called. */
  | { readonly kind: 'budget'; readonly amount: Msat }
  /** Any number of calls until it expires: the invoice is one price. */
  | { readonly kind: 'pass' }

export interface Offer {
  readonly service: string
  /** Names the offer in terms, logs and the one-open-invoice rule: `GET /qr/**`. */
  readonly route: string
  /** Methods a `uses` or `pass` capability is bound to. */
  readonly verbs: readonly string[]
  /** Path pattern a `uses` or `pass` capability is bound to. */
  readonly pattern: string
  /** Of one call. With `ask` the most that it can be, and with `metered` what is charged before it runs. */
  readonly price: Msat
  /** Asked for each request what it costs. Throws what the client is told; goes with `varies`, and not with a pass. */
  readonly ask?: (call: Call) => Promise<Asked>
  /** What a call comes to is known when it is over: at most `max`. Goes with a budget. */
  readonly metered?: { readonly max: Msat }
  /** So many calls for nothing, for those that come without a credential. */
  readonly free?: Free
  /** Decide, say what was decided, and let every call through without a charge. */
  readonly shadow?: true
  /** Another request to the same route may cost more, so `uses` are bounded by what was paid for them, too. */
  readonly varies?: true
  readonly mode: Mode
  /** Seconds the capability lives, counted from the quote. */
  readonly lifetime: number
  /** More caveats of a fresh capability; `net=client` stands for the address that asks. */
  readonly grants?: readonly string[]
  /**
   * What every capability must come with here, whenever it was sold: a seal, or a seal and a holder's key. Clients that know
   * neither are refused after they paid.
   */
  readonly requires?: 'seal' | 'key'
}

/** The amount of the invoice. */
export function invoiceAmount({ price, mode }: Offer): Msat {
  switch (mode.kind) {
    case 'uses':
      return msats(price * BigInt(mode.uses))
    case 'budget':
      return mode.amount
    case 'pass':
      return price
  }
}

/**
 * Caveats of a fresh capability, in the order capabilities §2.2 asks for: those of L402, the profile, then ours. Throws
 * CAVEAT_REFUSED where `net=client` is granted and `client` is no address that a network can hold.
 */
export function mintedCaveats(offer: Offer, expires: Date, client: string): readonly Caveat.Caveat[] {
  const { grants = [], requires } = offer
  const seal = requires === undefined ? [] : [Caveat.seal()]
  return [...soldCaveats(offer, expires), ...seal, ...grants.map((text) => granted(text, client))]
}

function granted(text: string, client: string): Caveat.Caveat {
  if (text !== NET_CLIENT) return Caveat.parse(text)
  const address = Network.parseAddress(client)
  if (!address)
    throw new TallyError('CAVEAT_REFUSED', 'what is sold here is bound to the address that asks, and yours is none')
  return Caveat.parse(`net=${Network.formatAddress(address)}/${address.family === 4 ? 32 : 128}`)
}

/** Not a caveat: the address is filled in when it is known. */
export const NET_CLIENT = 'net=client'

function soldCaveats(offer: Offer, expires: Date): readonly Caveat.Caveat[] {
  const { service, mode } = offer
  const head = [
    Caveat.services({ [service]: 0 }),
    Caveat.validUntil(service, expires),
    Caveat.profile(),
    Caveat.expires(expires),
  ]
  if (mode.kind === 'budget') return [...head, Caveat.budget(mode.amount)]
  const bound = [...head, Caveat.verb(...offer.verbs), Caveat.path(offer.pattern)]
  if (mode.kind === 'pass') return bound
  return [...bound, Caveat.uses(mode.uses), ...(offer.varies ? [Caveat.budget(invoiceAmount(offer))] : [])]
}

/**
 * Whether a capability may be used for this offer, as far as its purchase is concerned. What was bought for one route is
 * good for that route, even where its pattern also matches paths of a dearer one that is found first. Holders only append,
 * so what stands where `mintedCaveats` writes is ours; tokens of another shape are bound by their caveats alone.
 */
export function wasSoldFor(caveats: readonly string[], { verbs, pattern }: Offer): boolean {
  const [, , profile, , verb, path] = caveats
  if (profile !== PROFILE || !verb?.startsWith('verb=') || !path?.startsWith('path=')) return true
  return (
    isText(path, 'path='.length, pattern) &&
    isText(verb, 'verb='.length, verbs.length === 1 ? verbs[0]! : verbs.join(','))
  )
}

const PROFILE = Caveat.profile().text

/** Whether `rest` is all that stands in `text` behind so many characters. Builds no string: every request comes by here. */
const isText = (text: string, from: number, rest: string): boolean =>
  text.length === from + rest.length && text.endsWith(rest)

/** How a handler in your own server is priced. One of `uses`, `budget` and `pass` at most; without them, one call. */
export interface PriceOptions {
  /**
   * Of one call: an amount, or a function of the request. With a function a purchase is good for what it paid: a request
   * that costs more than is left of it is asked to pay anew. It does not go with `pass`, which counts nothing.
   */
  readonly price: AmountLike | ((call: Call) => AmountLike)
  /** The name in `services=`; default: the gate's. */
  readonly service?: string
  /**
   * Path pattern such as `/forecast/*` that a purchase is good for; default: exactly the path asked for. Handlers that name
   * the same one sell the same, so give them the same price.
   */
  readonly path?: string
  readonly uses?: number
  readonly budget?: AmountLike
  /** Unmetered until the capability expires. */
  readonly pass?: true
  /** Seconds; default one hour. */
  readonly lifetime?: number
}

const HOUR = 3600

/** The offer for one request. Throws PATH_AMBIGUOUS for a path that has no canonical form. */
export function offerFor(options: PriceOptions, service: string, call: Call): Offer {
  const varies = typeof options.price === 'function'
  const price = Amount.from(typeof options.price === 'function' ? options.price(call) : options.price)
  const mode = modeOf(options)
  if (price === 0n)
    throw new TypeError('price options: expected a price above zero; leave the gate out where it is free')
  if (mode.kind === 'budget' && mode.amount < price)
    throw new TypeError('price options: a budget must be at least the price of one call')
  if (options.lifetime !== undefined && !(Number.isSafeInteger(options.lifetime) && options.lifetime > 0))
    throw new TypeError('price options: lifetime must be a whole number of seconds, 1 or more')
  if (mode.kind === 'pass' && varies) throw new TypeError('price options: a pass needs one price for all requests')
  const pattern = options.path === undefined ? literalPath(call.target) : coveringPath(options.path, call.target)
  return {
    service: options.service ?? service,
    route: `${call.method} ${pattern}`,
    verbs: call.method === 'GET' || call.method === 'HEAD' ? ['GET', 'HEAD'] : [call.method],
    pattern,
    price,
    ...(varies && { varies }),
    mode,
    lifetime: options.lifetime ?? HOUR,
  }
}

function modeOf({ uses, budget, pass }: PriceOptions): Mode {
  if ([uses, budget, pass].filter((given) => given !== undefined).length > 1)
    throw new TypeError('price options: give one of uses, budget and pass')
  if (budget !== undefined) return { kind: 'budget', amount: Amount.from(budget) }
  if (pass) return { kind: 'pass' }
  if (uses !== undefined && (!Number.isSafeInteger(uses) || uses < 1))
    throw new TypeError('price options: uses must be a whole number, 1 or more')
  return { kind: 'uses', uses: uses ?? 1 }
}

/** A pattern that missed the request would sell what this very handler then refuses. */
function coveringPath(pattern: string, target: string): string {
  if (!PathPattern.matches(PathPattern.parse(pattern), canonicalTarget(target).path))
    throw new TypeError(`price options: path ${pattern} does not match the path this handler was called with`)
  return pattern
}

/** A path as a pattern that matches only itself. `*` is legal in a path, and would match more than was paid for. */
function literalPath(target: string): string {
  const { path } = canonicalTarget(target)
  if (path.split('/').some((segment) => segment === '*' || segment === '**'))
    throw new TallyError('PATH_AMBIGUOUS', 'a path segment `*` reads as a wildcard')
  return path
}
