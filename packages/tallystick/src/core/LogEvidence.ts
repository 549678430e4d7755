/**
 * What convicts a log before somebody who has never dealt with it: two histories under one key, and a promise that was not
 * kept. A proof that merely is not shown convicts nobody.
 */
import { toHex, type Bytes } from './bytes.ts'
import * as Checkpoint from './Checkpoint.ts'
import type { VerifyEd25519 } from './ed25519.ts'
import { edgeOf, grow, rootOf } from './Edge.ts'
import { TallyError } from './errors.ts'
import * as LogPolicy from './LogPolicy.ts'
import type { VerifierKey } from './Note.ts'

type Options = { readonly ed25519?: VerifyEd25519 }

/** True: one size and two roots, both signed by `key`. Throws when one of them is not a checkpoint of this log. */
export function isFork(one: string, other: string, key: VerifierKey, options: Options = {}): boolean {
  const [a, b] = [Checkpoint.open(one, key, options), Checkpoint.open(other, key, options)]
  return a.size === b.size && toHex(a.root) !== toHex(b.root)
}

export interface Missed {
  /** Of the entry that was promised. */
  readonly leafHash: Bytes
  readonly deadline: Date
  /** Seen by the witnesses at or behind the deadline. */
  readonly checkpoint: string
  /** Of all its entries: the tiles of level 0, one after the other. */
  readonly leafHashes: readonly Bytes[]
}

/**
 * True: when the witnesses of the policy had seen this checkpoint the deadline was over, and the entry is not under it. Who
 * signed the promise is for the caller to check. Throws LOG_UNWITNESSED where no witness says when, as nobody else's clock
 * counts; LOG_PROOF_INVALID when these are not the entries of the checkpoint; and what LogPolicy.accept throws.
 */
export function isMissed(
  { leafHash, deadline, checkpoint: text, leafHashes }: Missed,
  policy: LogPolicy.LogPolicy,
  options: Options = {},
): boolean {
  const { checkpoint, witnessed } = LogPolicy.accept(text, policy, options)
  if (!witnessed) throw new TallyError('LOG_UNWITNESSED', 'without witnesses there is nobody to say when that was')
  const edge = edgeOf(0, [])
  grow(edge, leafHashes)
  if (edge.size !== checkpoint.size || toHex(rootOf(edge)) !== toHex(checkpoint.root))
    throw new TallyError('LOG_PROOF_INVALID', 'these are not the entries of this checkpoint')
  const wanted = toHex(leafHash)
  return witnessed.getTime() >= deadline.getTime() && !leafHashes.some((hash) => toHex(hash) === wanted)
}
