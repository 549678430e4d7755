/**
 * The kinds of receipt, in one table: who issues each, what it says, and what it must and may hold. Whoever adds a kind
 * adds a row; a reader refuses kinds and fields it does not know, because a half-understood receipt is none.
 */
import {
  code,
  count,
  hex16,
  hex32,
  label,
  listOf,
  msat,
  oneOf,
  record,
  status,
  time,
  words,
  type Fields,
} from './fields.ts'

/** Whose signature makes it what it is. The others on it are counter-signatures. */
export type Role = 'service' | 'holder' | 'delegate'

interface Kind {
  readonly by: Role
  /** What the issuer says with it, as a clause. */
  readonly says: string
  readonly fields: Fields
}

/** In every receipt. */
export const common: Fields = {
  v: oneOf(1),
  kind: label,
  /** Random, 16 bytes. */
  id: hex16,
  /** What belongs together: the payment hash, or for what nobody pays for the id of what began it, twice. */
  deal: hex32,
  /** Digest of the receipt before it in the deal, as far as its issuer knew. */
  'prev?': hex32,
  /** The log it goes to. */
  'log?': label,
  /** By the issuer's own clock: a claim. */
  t: time,
}

/** The capability that was shown. The preimage and the signature of the chain are in no receipt. */
const token = record({
  /** SHA-256("l402-token/v1" ‖ identifier). */
  id: hex32,
  /** SHA-256("l402-caveat/v1" ‖ text) of each caveat, in order: the chain of delegation, for whoever has the token. */
  caveats: listOf(hex32, 64),
  /** As each giver wrote them: claims. */
  'links?': listOf(label, 8),
  /** Ed25519 keys it is bound to, in order. */
  'keys?': listOf(hex32, 8),
})

/** What was asked for. */
const act = record({
  /** Which use of the deal it is, as far as its issuer counted. */
  'seq?': count,
  service: label,
  route: label,
  /** SHA-256("l402-act/v1" \n METHOD \n authority \n path \n query). */
  request: hex32,
  /** SHA-256 of its body, where it was known when this was signed. */
  'body?': hex32,
})

const sale: Fields = {
  /** SHA-256 of the terms and of the invoice, texts that travel beside the receipt. */
  'terms?': hex32,
  'invoice?': hex32,
  /** Of the invoice. */
  'amount_msat?': msat,
}

export const SOURCES = ['node_confirmed', 'preimage_only', 'hold_accepted', 'not_sold'] as const

export type Source = (typeof SOURCES)[number]

export const kinds = {
  quote: {
    by: 'service',
    says: 'it offered these terms for this invoice',
    fields: { ...sale, service: label, route: label, price_msat: msat },
  },
  settle: {
    by: 'service',
    says: 'it took the payment as made, and let this request in for it',
    fields: {
      ...sale,
      /** `source`: on whose word it takes the payment as made. */
      settle: record({ source: oneOf(...SOURCES), 'at?': time, 'amt_paid_msat?': msat }),
      'token?': token,
      'act?': act,
      /** What the request cost. */
      'cost_msat?': msat,
    },
  },
  deliver: {
    by: 'service',
    says: 'it sent this response',
    fields: {
      act: record({ 'body?': hex32, status }),
      /** `complete`: all that the upstream meant to send was handed to the network. That it arrived, only an ack says. */
      result: record({
        alg: oneOf('sha-256'),
        digest: hex32,
        length: count,
        'media_type?': label,
        complete: oneOf(0, 1),
      }),
    },
  },
  ack: {
    by: 'holder',
    says: 'it accepted what was delivered',
    fields: { result: record({ alg: oneOf('sha-256'), digest: hex32 }), ok: oneOf(0, 1), 'note?': words },
  },
  refund: {
    by: 'service',
    says: 'it gave the charge back',
    fields: { of: hex32, 'cost_msat?': msat, 'reason?': code },
  },
  denial: {
    by: 'service',
    says: 'it refused this request, though the credential was its own',
    fields: { reason: code, 'caveat?': words, 'link?': label, 'token?': token, 'act?': act },
  },
  freeze: {
    by: 'service',
    says: 'it stopped what this names',
    fields: { subject: label, 'tag?': hex32, 'link?': label, 'reason?': words },
  },
  promise: {
    by: 'service',
    says: 'the log will show this leaf by the deadline',
    fields: { leaf: hex32, deadline: time },
  },
  keybind: {
    by: 'service',
    says: 'these keys and nodes are one party',
    fields: { keys: listOf(hex32, 16), 'nodes?': listOf(label, 16), 'origins?': listOf(label, 16) },
  },
} as const satisfies Record<string, Kind>

export type KindName = keyof typeof kinds

export const kindOf = (name: string): Kind | undefined =>
  Object.hasOwn(kinds, name) ? kinds[name as KindName] : undefined
