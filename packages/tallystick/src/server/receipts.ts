/**
 * What the gate writes receipts of: each use that was let in, what became of it, and each refusal of a credential that is
 * ours. Strangers' garbage leaves none, and one holder's repeated refusals leave one a minute.
 */
import { fromBase64, toBase64Url, toHex, utf8, type Bytes } from '../core/bytes.ts'
import * as canonical from '../core/canonical.ts'
import type { Document } from '../core/canonical.ts'
import type { TallyError } from '../core/errors.ts'
import type { Grant } from '../core/Grant.ts'
import { sha256 } from '../core/hmac.ts'
import * as Identifier from '../core/Identifier.ts'
import * as Receipt from '../core/Receipt.ts'
import * as Terms from '../core/Terms.ts'
import type { Store } from '../storage/Store.ts'
import { createPacer } from './pace.ts'
import { createIssuer, type Issued, type Issuer, type IssuerOptions } from './issuer.ts'

/** What the gate knows of a request. */
export interface Asked extends Receipt.Act {
  readonly service: string
  readonly route: string
  /** SHA-256 of the body, where it is known already. */
  readonly body?: Bytes | undefined
}

/** The part of a capability, or of a grant, that a receipt tells. */
export type Shown = Pick<Grant, 'tokenId' | 'paymentHash' | 'caveats' | 'links' | 'hands'>

/** What was sent, as far as it went. */
export interface Delivered {
  readonly status: number
  readonly digest: Bytes
  readonly length: number
  readonly mediaType?: string | undefined
  /** All of it was handed to the network. */
  readonly complete: boolean
  /** SHA-256 of the request's body. */
  readonly requestBody?: Bytes | undefined
}

/** The receipt of one use. */
export interface Use {
  readonly id: string
  /** For the response. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Once, when the response is over. */
  readonly delivered: (result: Delivered) => void
  /** Once, when the charge was given back. */
  readonly refunded: (reason?: string) => void
  /** What a metered call came to, which may be less or more than was charged before it ran. */
  readonly metered: (charged: bigint) => void
}

export interface Receipts {
  readonly issuer: Pick<Issuer, 'trouble' | 'flushed'>
  /** Rejects with RECEIPT_UNAVAILABLE: then the use must not run. */
  readonly granted: (grant: Shown & Pick<Grant, 'cost'>, asked: Asked, source: Source) => Promise<Use>
  readonly denied: (shown: Shown, asked: Asked, error: TallyError) => void
  /** The node says now that it was paid, and earlier uses rested on the preimage alone. */
  readonly confirmed: (paymentHash: Bytes, payment: { readonly at: Date; readonly amount: bigint }) => void
  /** A preimage was shown of which the node says that nobody paid for it. */
  readonly alarmed: (paymentHash: Bytes) => void
}

export type Source = Receipt.Source

/** What is known of a deal between two uses. */
interface Deal {
  prev: string | undefined
  seq: number
  /** On whose word its last use was let in. */
  source: Source | undefined
  service: string
  hands: Shown['hands']
  readonly sale: Document
}

const MOST_DEALS = 10_000
const MOST_DENIED = 10_000
const DENIED_EVERY = 60_000
/** Of one deal, over all its hands and reasons. */
const DENIED = { count: 60, seconds: 60 }

export interface ReceiptsOptions extends IssuerOptions {
  readonly store: Pick<Store, 'quoted'>
}

export function createReceipts(options: ReceiptsOptions): Receipts {
  const { store, clock } = options
  const { book } = options.log
  const issuer = createIssuer(options)
  const deals = new Map<string, Deal | Promise<Deal>>()
  const denied = new Map<string, number>()
  const pace = createPacer(DENIED)
  const tokens = new WeakMap<readonly string[], Document>()

  function dealOf(hash: string, { paymentHash, hands }: Shown, service: string): Deal | Promise<Deal> {
    const known = deals.get(hash)
    if (known) return known
    const loading = load(hash, paymentHash).then((found): Deal => ({ ...found, service, hands }))
    keep(deals, hash, loading, MOST_DEALS)
    loading.then(
      (deal) => deals.get(hash) === loading && deals.set(hash, deal),
      () => deals.get(hash) === loading && deals.delete(hash),
    )
    return loading
  }

  async function load(hash: string, paymentHash: Bytes): Promise<Omit<Deal, 'service' | 'hands'>> {
    const [last, quote] = await Promise.all([book.last(hash, 'settle'), store.quoted(paymentHash)])
    const before = last?.content && Receipt.decode(last.content.envelope)
    const act = before && (Receipt.parse(before.payload).fields['act'] as Document | undefined)
    return {
      prev: before && Receipt.digest(before),
      seq: typeof act?.['seq'] === 'number' ? act['seq'] : 0,
      source: undefined,
      sale: quote
        ? {
            terms: toHex(Terms.hash(quote.terms)),
            invoice: toHex(sha256(utf8(quote.bolt11))),
            amount_msat: `${quote.amount}`,
          }
        : {},
    }
  }

  function tokenOf({ tokenId, paymentHash, caveats, links }: Shown): Document {
    const known = tokens.get(caveats)
    if (known) return known
    const keys = caveats.flatMap((text) => (text.startsWith(KEY) ? [toHex(fromBase64(text.slice(KEY.length)))] : []))
    const token = {
      id: Receipt.tokenDigest(Identifier.encode({ paymentHash, tokenId })),
      caveats: caveats.map(Receipt.caveatDigest),
      ...(links.length > 0 && { links }),
      ...(keys.length > 0 && { keys }),
    }
    tokens.set(caveats, token)
    return token
  }

  async function granted(grant: Shown & Pick<Grant, 'cost'>, asked: Asked, source: Source): Promise<Use> {
    const hash = toHex(grant.paymentHash)
    const found = dealOf(hash, grant, asked.service)
    const deal = found instanceof Promise ? await found : found
    const { hands } = grant
    const { service } = asked
    const fields = {
      ...deal.sale,
      settle: { source },
      token: tokenOf(grant),
      act: actOf(asked, ++deal.seq),
      cost_msat: `${grant.cost}`,
    }
    let issued: Issued
    try {
      issued = await issuer.issue('settle', fields, { deal: hash, prev: deal.prev, service, hands })
    } catch (error) {
      deals.delete(hash)
      throw error
    }
    Object.assign(deal, { prev: issued.digest, source, hands })
    const subject = { deal: hash, prev: issued.digest, service, hands }
    return {
      id: issued.id,
      headers: headersOf(issued, hash, clock()),
      delivered: (result) => issuer.note('deliver', deliveredFields(result), subject),
      refunded: (reason) =>
        issuer.note(
          'refund',
          { of: issued.digest, cost_msat: `${grant.cost}`, ...(reason !== undefined && { reason }) },
          subject,
        ),
      metered: (charged) =>
        issuer.note('settle', { ...deal.sale, settle: { source }, cost_msat: `${charged}` }, subject),
    }
  }

  return {
    issuer,
    granted,
    denied(shown, asked, error) {
      const { code, details } = error
      const deal = toHex(shown.paymentHash)
      const { service } = asked
      // A link's own refusals do not use up what is told of the others.
      const name = `${shown.hands.at(-1)?.tag} ${code}`
      const now = clock().getTime()
      const last = denied.get(name)
      if (last !== undefined && now >= last && now < last + DENIED_EVERY) return
      // Hands cost their maker nothing, and what is in a log stays there.
      if (!pace.take(deal, clock()).ok) return
      keep(denied, name, now, MOST_DENIED)
      const { caveat, link } = details
      const fields = {
        reason: code,
        ...(typeof caveat === 'string' && { caveat: caveat.slice(0, 1024) }),
        ...(typeof link === 'string' && { link }),
        token: tokenOf(shown),
        act: actOf(asked),
      }
      issuer.note('denial', fields, { deal, prev: prevOf(deals.get(deal)), service, hands: shown.hands })
    },
    confirmed(paymentHash, { at, amount }) {
      const hash = toHex(paymentHash)
      const deal = deals.get(hash)
      if (!deal || deal instanceof Promise || deal.source !== 'preimage_only') return
      const settle = { source: 'node_confirmed', at: Math.floor(at.getTime() / 1000), amt_paid_msat: `${amount}` }
      deal.source = 'node_confirmed'
      const { prev, service, hands, sale } = deal
      issuer.note('settle', { ...sale, settle }, { deal: hash, prev, service, hands })
    },
    alarmed(paymentHash) {
      const hash = toHex(paymentHash)
      const deal = deals.get(hash)
      const { service = '', hands = [] } = deal && !(deal instanceof Promise) ? deal : {}
      issuer.note('denial', { reason: 'PAYMENT_UNSETTLED' }, { deal: hash, prev: prevOf(deal), service, hands })
    },
  }
}

const KEY = 'key=ed25519:'

const prevOf = (deal: Deal | Promise<Deal> | undefined): string | undefined =>
  deal instanceof Promise ? undefined : deal?.prev

function keep<T>(map: Map<string, T>, name: string, value: T, most: number): void {
  map.delete(name)
  map.set(name, value)
  if (map.size > most) map.delete(map.keys().next().value!)
}

function actOf({ service, route, body, ...act }: Asked, seq?: number): Document {
  return {
    service,
    route: printable(route),
    request: Receipt.requestDigest(act),
    ...(body && { body: toHex(body) }),
    ...(seq !== undefined && { seq }),
  }
}

/** Of a route as it stands in tally.yaml or was made from a path, which is ASCII, but may be long. */
const printable = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 256)

function deliveredFields({ status, digest, length, mediaType, complete, requestBody }: Delivered): Document {
  return {
    act: { status, ...(requestBody && { body: toHex(requestBody) }) },
    result: {
      alg: 'sha-256',
      digest: toHex(digest),
      length,
      ...(mediaType && { media_type: printable(mediaType) }),
      complete: complete ? 1 : 0,
    },
  }
}

/** `Payment-Receipt` is that of the Payment scheme: it is signed by nobody, and says what its clients look for. */
function headersOf(issued: Issued, hash: string, now: Date): Use['headers'] {
  const receipt = { status: 'success', method: 'lightning', timestamp: now.toISOString(), reference: hash }
  return [
    ['Tally-Receipt', Receipt.toHeader(issued) ?? Receipt.referTo(issued.id)],
    ['Payment-Receipt', toBase64Url(utf8(canonical.write(receipt)))],
  ]
}
