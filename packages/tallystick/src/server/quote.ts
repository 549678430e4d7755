/**
 * From an offer to something that can be paid: an invoice, a capability that its preimage brings to life, and terms that
 * the invoice commits to. One quote per (client, route, price) is open at a time, so that a flood of unpaid requests
 * costs the node one invoice each and no more.
 */
import type { Msat } from '../core/Amount.ts'
import { toHex, utf8, randomBytes, type Bytes } from '../core/bytes.ts'
import * as Capability from '../core/Capability.ts'
import { TallyError } from '../core/errors.ts'
import { sha256 } from '../core/hmac.ts'
import type { Key } from '../core/Key.ts'
import * as Macaroon from '../core/Macaroon.ts'
import * as Terms from '../core/Terms.ts'
import type { Receiver } from '../lightning/Lightning.ts'
import type { Quote, Store } from '../storage/Store.ts'
import type { Since } from './beacon.ts'
import { customerOf } from './customer.ts'
import { invoiceAmount, mintedCaveats, NET_CLIENT, type Offer } from './Offer.ts'
import { createPacer, tooOften, type Rate } from './pace.ts'

export interface QuoterOptions {
  readonly key: Key
  readonly store: Store
  readonly lightning: Receiver
  readonly clock: () => Date
  /** Seconds an invoice can be paid. */
  readonly invoiceLifetime: number
  /** What else the terms say, for receipts. */
  readonly since?: Since | undefined
  /** Written into macaroons as a hint; not authenticated. */
  readonly location: string
  readonly invoices?: InvoiceLimits | undefined
}

/** How many invoices are made that nobody pays. One that is paid, or whose token was presented, no longer counts. */
export interface InvoiceLimits {
  /** For each client address (IPv6: each /64). */
  readonly perClient?: Rate
  /** For all clients together. */
  readonly total?: Rate
}

const PER_CLIENT: Rate = { count: 60, seconds: 60 }
const TOTAL: Rate = { count: 1000, seconds: 60 }
const ALL = ''

export interface Quoter {
  /** The open quote of this client for this offer, made if there is none. */
  quote(client: string, offer: Offer): Promise<Quote>
  /** The quote was paid or redeemed: the next challenge needs a fresh invoice. */
  close(paymentHash: Bytes): void
}

/**
 * Quotes open at once, over all clients. More than this is a flood: better to refuse than to fill the node. One client
 * gets no more than what it leaves to the others, so whoever floods uses up their share and not everybody's.
 */
const MOST_OPEN = 10_000
/** A quote is not offered again in its last seconds: the payer needs time to pay. */
const MARGIN = 30_000
/** Milliseconds between two looks for quotes that are over. */
const DROP_EVERY = 1000

interface Open {
  /** Unix milliseconds after which it is not offered again. */
  readonly until: number
  /** undefined: made by an earlier life of this process, which kept no list of who asked. */
  readonly customer: string | undefined
  /** Held as a promise, so that callers who arrive while it is made wait for the same invoice. */
  readonly quote: Promise<Quote>
}

/** Who asks for what. */
interface Asked {
  readonly client: string
  readonly offer: Offer
}

export function createQuoter(options: QuoterOptions): Quoter {
  const { key, store, clock, invoices = {} } = options
  const pace = createPacer(invoices.perClient ?? PER_CLIENT)
  const paceOfAll = createPacer(invoices.total ?? TOTAL)
  const open = new Map<string, Open>()
  const slots = new Map<string, string>()
  /** Open quotes of each customer that has any. */
  const held = new Map<string, number>()
  let dropped = -Infinity
  let restored: Promise<void> | undefined

  /** What an earlier life of this process offered is offered again, else a restart would mint everything anew. */
  async function restore(): Promise<void> {
    for (const quote of await store.offered(clock())) {
      const { slot, paymentHash, created, expires } = quote
      add(slot, { until: lastOffer(created, expires), customer: undefined, quote: Promise.resolve(quote) })
      slots.set(toHex(paymentHash), slot)
    }
  }

  function add(slot: string, entry: Open): void {
    remove(slot)
    open.set(slot, entry)
    const { customer } = entry
    if (customer !== undefined) held.set(customer, (held.get(customer) ?? 0) + 1)
  }

  function remove(slot: string): void {
    const entry = open.get(slot)
    if (!entry) return
    open.delete(slot)
    const { customer, quote } = entry
    quote.then(
      ({ paymentHash }) => slots.delete(toHex(paymentHash)),
      () => {},
    )
    if (customer === undefined) return
    const left = held.get(customer)! - 1
    if (left === 0) held.delete(customer)
    else held.set(customer, left)
  }

  function close(paymentHash: Bytes): void {
    const hash = toHex(paymentHash)
    const slot = slots.get(hash)
    slots.delete(hash)
    if (slot === undefined) return
    const customer = open.get(slot)?.customer
    if (customer !== undefined) {
      pace.giveBack(customer)
      paceOfAll.giveBack(ALL)
    }
    remove(slot)
  }

  /** Whoever floods runs into their own limit first, and costs the others nothing. */
  function checkPace(customer: string, now: Date): void {
    const { ok, wait } = pace.take(customer, now)
    if (!ok) throw tooOften('too many unpaid invoices were made for your address', wait)
    const all = paceOfAll.take(ALL, now)
    if (all.ok) return
    pace.giveBack(customer)
    throw exhausted('too many unpaid invoices were made lately', all.wait)
  }

  /** Not in order of expiry: offers differ in how long they stand, and clocks are set back. */
  function dropStale(now: number): void {
    if (now >= dropped && now < dropped + DROP_EVERY) return
    dropped = now
    for (const [slot, { until }] of open) if (until <= now) remove(slot)
  }

  function mint(slot: string, { client, offer }: Asked, now: Date): Promise<Quote> {
    const created = wholeSeconds(now)
    const expires = invoiceExpiry(options, offer, created)
    const quote = mintQuote(options, slot, { client, offer, created, expires })
    const entry = { until: lastOffer(created, expires), customer: customerOf(client), quote }
    add(slot, entry)
    quote.then(
      ({ paymentHash }) => open.get(slot) === entry && slots.set(toHex(paymentHash), slot),
      () => open.get(slot) === entry && remove(slot),
    )
    return quote
  }

  return {
    async quote(client, offer) {
      restored ??= restore().catch((error: unknown) => {
        restored = undefined
        throw error
      })
      await restored
      const now = clock()
      dropStale(now.getTime())
      const slot = slotOf(key, { client, offer })
      const known = open.get(slot)
      if (known && known.until > now.getTime()) return known.quote
      const customer = customerOf(client)
      if ((held.get(customer) ?? 0) >= MOST_OPEN - open.size)
        throw exhausted('too many unpaid invoices are open', OPEN_FOR)
      checkPace(customer, now)
      return mint(slot, { client, offer }, now)
    },
    close,
  }
}

/** Milliseconds after which an invoice that is open now may be over. */
const OPEN_FOR = 60_000

const exhausted = (message: string, wait: number): TallyError =>
  new TallyError('QUOTES_EXHAUSTED', message, { details: { retryAfter: Math.ceil(wait / 1000) } })

/** A capability lives from its quote on, so an invoice that is paid at its last moment still buys half of that life. */
function invoiceExpiry({ invoiceLifetime }: QuoterOptions, { lifetime }: Offer, created: Date): Date {
  return new Date(created.getTime() + Math.max(1, Math.min(invoiceLifetime, Math.floor(lifetime / 2))) * 1000)
}

const lastOffer = (created: Date, expires: Date): number =>
  expires.getTime() - Math.min(MARGIN, (expires.getTime() - created.getTime()) / 2)

/**
 * Keyed, so that a stolen database does not list who asked for what. All of the offer is in it: after a change of what is
 * sold nobody gets the old goods for the new price.
 */
function slotOf(key: Key, { client, offer }: Asked): string {
  const { service, route, verbs, pattern, price, varies, mode, lifetime, grants = [], requires } = offer
  const who = grants.includes(NET_CLIENT) ? client : customerOf(client)
  const sold = [service, route, verbs, pattern, `${price}`, varies, mode.kind, `${invoiceAmount(offer)}`, lifetime]
  return toHex(key.derive('slot', utf8(JSON.stringify([who, ...sold, grants, requires]))))
}

async function mintQuote(
  options: QuoterOptions,
  slot: string,
  { client, offer, created, expires }: Asked & { readonly created: Date; readonly expires: Date },
): Promise<Quote> {
  const { key, lightning, store } = options
  const tokenId = randomBytes(32)
  const amount = invoiceAmount(offer)
  const validUntil = new Date(created.getTime() + offer.lifetime * 1000)
  // Before there is an invoice that nothing could be sold for.
  const caveats = mintedCaveats(offer, validUntil, client)
  const terms = Terms.encode({ ...termsOf(offer, tokenId, amount, validUntil), ...(await options.since?.()) })
  // A preimage derived from our key needs no storage, so a paid quote can be redeemed after any loss of the database.
  const preimage = lightning.capabilities.choosesPreimage ? Capability.preimageFor(key, tokenId) : undefined
  const { bolt11, paymentHash } = await lightning.createInvoice({
    amount,
    expires,
    ...(lightning.capabilities.descriptionHash
      ? { descriptionHash: Terms.hash(terms) }
      : { memo: `${offer.service} ${offer.route}` }),
    ...(preimage && { preimage }),
  })
  if (preimage && toHex(sha256(preimage)) !== toHex(paymentHash))
    throw new TallyError('NODE_UNAVAILABLE', 'the node made an invoice for another payment hash than asked for')
  const macaroon = Capability.mint(key, {
    paymentHash,
    tokenId,
    location: options.location,
    caveats,
  })
  const quote: Quote = {
    paymentHash,
    slot,
    amount,
    bolt11,
    macaroon: Macaroon.toBase64(macaroon),
    service: offer.service,
    route: offer.route,
    terms,
    created,
    expires,
  }
  await store.open(quote)
  return quote
}

function termsOf(offer: Offer, tokenId: Bytes, amount: Msat, expires: Date): Terms.Terms {
  const { service, route, price, mode, lifetime } = offer
  return {
    service,
    route,
    price,
    amount,
    expires,
    tokenId,
    mode: mode.kind === 'pass' ? { ...mode, seconds: lifetime } : mode,
  }
}

const wholeSeconds = (date: Date): Date => new Date(Math.floor(date.getTime() / 1000) * 1000)
