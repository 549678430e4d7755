/**
 * What an issuer keeps of its receipts: the private part, of which the log has only commitments. Whoever is to forget what a
 * receipt says drops it here, and the log stays as it is.
 *
 * A resolved `keep` is on disk, for books that have one. Checked by `bookConformance` in tallystick/testing.
 */
import type { Bytes } from '../core/bytes.ts'
import type { KindName } from '../core/Receipt.ts'

/** Somebody the token went through: `tag` names all that begins with that prefix, `link` is what the giver called it. */
export interface Holding {
  readonly tag: string
  readonly link: string | undefined
}

export interface Entry {
  /** 32 hex digits. */
  readonly id: string
  readonly deal: string
  readonly kind: KindName
  /** Of the leaf in the log. */
  readonly index: number
  readonly at: Date
  readonly service: string
  /** Outermost first; the issuer's tag is the id of the token. Empty where no token was shown. */
  readonly hands: readonly Holding[]
  /** `Receipt.encode`, and what opens the leaf; undefined when they were dropped. */
  readonly content: { readonly envelope: string; readonly salt: Bytes } | undefined
}

export interface BookQuery {
  /** The last hand: who acted. */
  readonly agent?: string | undefined
  /** Any hand, by the name its giver wrote, with or without the salt: all that was handed on from there. */
  readonly link?: string | undefined
  /** Any hand, by its tag; the id of a token is the tag of all of it. */
  readonly tag?: string | undefined
  readonly service?: string | undefined
  readonly deal?: string | undefined
  readonly kind?: KindName | undefined
  /** At it or later. */
  readonly since?: Date | undefined
  /** Before it. */
  readonly until?: Date | undefined
  /** Behind this leaf. */
  readonly after?: number | undefined
  readonly limit: number
}

export interface Book extends AsyncDisposable {
  /** Idempotent by id. An issuer keeps its receipts with the leaves: LogCommit in LogStore.ts. */
  keep(entries: readonly Entry[]): Promise<void>
  get(id: string): Promise<Entry | undefined>
  /** The latest of its kind in a deal. */
  last(deal: string, kind: KindName): Promise<Entry | undefined>
  /** In the order of the log. */
  find(query: BookQuery): Promise<readonly Entry[]>
  /** Forgets what the receipt says and the salt; that it was, the log shows. False when there was nothing to forget. */
  drop(id: string): Promise<boolean>
}
