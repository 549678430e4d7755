/**
 * That a checkpoint of a log, and all that its tree begins with, was there when a Bitcoin block was made: the timestamp of
 * the checkpoint, and the way from an earlier tree to its own. One text, kept beside a proof that was made long before.
 *
 *     tallystick/anchor/1
 *     ots <base64>
 *     <hashes of the consistency proof, base64, a line each>
 *
 *     <the signed checkpoint>
 */
import { equalConstantTime, toBase64, utf8, type Bytes } from './bytes.ts'
import { fromCanonicalBase64 } from './canonicalBase64.ts'
import * as Checkpoint from './Checkpoint.ts'
import { TallyError } from './errors.ts'
import { sha256 } from './hmac.ts'
import { HASH_LENGTH, verifyConsistency } from './Merkle.ts'
import * as Ots from './Ots.ts'
import { blockTime } from './proof/header.ts'

export interface Anchor {
  /** As it was signed; its SHA-256 is what the timestamp is of. */
  readonly checkpoint: string
  readonly timestamp: Ots.Timestamp
  /** From the tree that a proof is under to the one of `checkpoint`; empty when they are of one size. */
  readonly consistency: readonly Bytes[]
}

const HEADER = 'tallystick/anchor/1'
const MOST_BYTES = 131_072
const MOST_HASHES = 128

export function format({ checkpoint, timestamp, consistency }: Anchor): string {
  const lines = [HEADER, `ots ${toBase64(Ots.encode(timestamp))}`, ...consistency.map(toBase64)]
  return `${lines.join('\n')}\n\n${checkpoint}`
}

/** Nothing is verified yet. Throws LOG_MALFORMED and TIMESTAMP_MALFORMED. */
export function parse(text: string): Anchor {
  if (text.length > MOST_BYTES) throw malformed(`more than ${MOST_BYTES} characters`)
  const end = text.indexOf('\n\n')
  if (end < 0) throw malformed('no blank line before the checkpoint')
  const [header, ots = '', ...hashes] = text.slice(0, end).split('\n')
  if (header !== HEADER) throw malformed(`expected ${HEADER}`)
  if (!ots.startsWith('ots ')) throw malformed('expected a line with the timestamp')
  if (hashes.length > MOST_HASHES) throw malformed(`more than ${MOST_HASHES} hashes`)
  const checkpoint = text.slice(end + 2)
  Checkpoint.parse(checkpoint)
  return {
    checkpoint,
    timestamp: Ots.decode(fromCanonicalBase64(ots.slice(4), 'anchor')),
    consistency: hashes.map((line) => fromCanonicalBase64(line, 'anchor', HASH_LENGTH)),
  }
}

/**
 * Not later than this the tree of `from` was there; undefined when none of the headers is of a block that it is in. Whether
 * the headers are of the chain that people mean is for whoever brings them. Throws LOG_ORIGIN_WRONG, LOG_PROOF_INVALID
 * and TIMESTAMP_MALFORMED.
 */
export function verify(
  anchor: Anchor,
  { from, headers }: { readonly from: Checkpoint.Checkpoint; readonly headers: readonly Bytes[] },
): Date | undefined {
  const { checkpoint, timestamp, consistency } = anchor
  const to = Checkpoint.parse(checkpoint)
  if (to.origin !== from.origin) throw new TallyError('LOG_ORIGIN_WRONG', `the anchor is of the log ${to.origin}`)
  verifyConsistency({ from: from.size, to: to.size, fromRoot: from.root, toRoot: to.root, proof: consistency })
  if (!equalConstantTime(timestamp.message, sha256(utf8(checkpoint))))
    throw new TallyError('TIMESTAMP_MALFORMED', 'the timestamp is not of this checkpoint')
  const roots = Ots.attestations(timestamp).flatMap(({ message, attestation }) =>
    attestation.kind === 'bitcoin' && message.length === HASH_LENGTH ? [message] : [],
  )
  const times = headers.flatMap((header) => {
    const { merkleRoot, latest } = blockTime(header)
    return roots.some((root) => equalConstantTime(root, merkleRoot)) ? [latest.getTime()] : []
  })
  return times.length === 0 ? undefined : new Date(Math.min(...times))
}

const malformed = (why: string): TallyError<'LOG_MALFORMED'> => new TallyError('LOG_MALFORMED', `anchor: ${why}`)
