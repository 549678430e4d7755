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
import { invoiceAmount, mintedCaveats, type Offer } from './Offer.ts'

export interface QuoterOptions {
  readonly key: Key
  readonly store: Store
  readonly lightning: Receiver
  readonly clock: () => Date
  /** Seconds an invoice can be paid. */
  readonly invoiceLifetime: number
  /** Written into macaroons as a hint; not authenticated. */
  readonly location: string
}

export interface Quoter {
  /** The open quote of this client for this offer, made if there is none. */
  quote(client: string, offer: Offer): Promise<Quote>
  /** The quote was paid or redeemed: the next challenge needs a fresh invoice. */
  close(paymentHash: Bytes): void
}

/** Quotes open at once, over all clients. More than this is a flood: better to refuse than to fill the node. */
const MOST_OPEN = 10_000
/** A quote is not offered again in its last seconds: the payer needs time to pay. */
const MARGIN = 30_000

interface Open {
  /** Unix milliseconds after which it is not offered again. */
  readonly until: number
  /** Held as a promise, so that callers who arrive while it is made wait for the same invoice. */
  readonly quote: Promise<Quote>
}

export function createQuoter(options: QuoterOptions): Quoter {
  const { key, store, clock } = options
  // In order of creation and so, as all live equally long, of expiry.
  const open = new Map<string, Open>()
  const slots = new Map<string, string>()
  let restored: Promise<void> | undefined

  /** What an earlier life of this process offered is offered again, else a restart would mint everything anew. */
  async function restore(): Promise<void> {
    for (const quote of await store.offered(clock())) remember(quote, Promise.resolve(quote))
  }

  function remember({ slot, paymentHash, expires }: Quote, quote: Promise<Quote>): void {
    open.set(slot, { until: expires.getTime() - MARGIN, quote })
    slots.set(toHex(paymentHash), slot)
  }

  function close(paymentHash: Bytes): void {
    const hash = toHex(paymentHash)
    const slot = slots.get(hash)
    slots.delete(hash)
    if (slot !== undefined) open.delete(slot)
  }

  function dropStale(now: number): void {
    for (const [slot, { until, quote }] of open) {
      if (until > now) return
      open.delete(slot)
      quote.then(
        ({ paymentHash }) => slots.delete(toHex(paymentHash)),
        () => {},
      )
    }
  }

  function mint(slot: string, { client, offer }: Asked, now: Date): Promise<Quote> {
    const minting = mintQuote(options, slot, { client, offer }, now)
    open.set(slot, { until: now.getTime() + options.invoiceLifetime * 1000 - MARGIN, quote: minting })
    minting.then(
      ({ paymentHash }) => slots.set(toHex(paymentHash), slot),
      () => open.delete(slot),
    )
    return minting
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
      const slot = slotOf(key, client, offer)
      const known = open.get(slot)
      if (known) return known.quote
      if (open.size >= MOST_OPEN)
        throw new TallyError('NODE_UNAVAILABLE', 'too many unpaid quotes are open; try again in a few minutes')
      return mint(slot, { client, offer }, now)
    },
    close,
  }
}

/** Keyed, so that a stolen database does not list who asked for what. */
function slotOf(key: Key, client: string, offer: Offer): string {
  return toHex(
    key.derive('slot', utf8(JSON.stringify([client, offer.service, offer.route, `${invoiceAmount(offer)}`]))),
  )
}

interface Asked {
  readonly client: string
  readonly offer: Offer
}

async function mintQuote(options: QuoterOptions, slot: string, { client, offer }: Asked, now: Date): Promise<Quote> {
  const { key, lightning, store } = options
  const tokenId = randomBytes(32)
  const amount = invoiceAmount(offer)
  const created = wholeSeconds(now)
  const expires = new Date(created.getTime() + options.invoiceLifetime * 1000)
  const validUntil = new Date(created.getTime() + offer.lifetime * 1000)
  // Before there is an invoice that nothing could be sold for.
  const caveats = mintedCaveats(offer, validUntil, client)
  const terms = Terms.encode(termsOf(offer, tokenId, amount, validUntil))
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
