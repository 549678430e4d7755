/**
 * That an entry is in a log, in one text that is checked offline (c2sp.org/tlog-proof@v1): its index, the path to the root,
 * and the checkpoint with that root, cosignatures included.
 */
import { toBase64, type Bytes } from './bytes.ts'
import { fromCanonicalBase64 } from './canonicalBase64.ts'
import * as Checkpoint from './Checkpoint.ts'
import { TallyError } from './errors.ts'
import type { VerifyEd25519 } from './ed25519.ts'
import * as LogPolicy from './LogPolicy.ts'
import { HASH_LENGTH, hashLeaf, verifyInclusion } from './Merkle.ts'
import { MOST_BYTES } from './Note.ts'

export interface LogProof {
  /** Signed by nobody: for whoever must know more to rebuild the entry. */
  readonly extra?: Bytes
  readonly index: number
  readonly path: readonly Bytes[]
  /** Byte for byte as the log and its witnesses signed it. */
  readonly checkpoint: string
}

const HEADER = 'c2sp.org/tlog-proof@v1'
/** A tree of as many entries as there are numbers is 53 high. */
const MOST_HASHES = 63

export function format({ extra, index, path, checkpoint }: LogProof): string {
  const lines = [HEADER, ...(extra ? [`extra ${toBase64(extra)}`] : []), `index ${index}`, ...path.map(toBase64)]
  return `${lines.join('\n')}\n\n${checkpoint}`
}

/** Nothing is verified yet. Throws LOG_MALFORMED. */
export function parse(text: string): LogProof {
  if (text.length > 2 * MOST_BYTES) throw malformed(`more than ${2 * MOST_BYTES} bytes`)
  const end = text.indexOf('\n\n')
  if (end < 0) throw malformed('no blank line before the checkpoint')
  const lines = text.slice(0, end).split('\n')
  if (lines.shift() !== HEADER) throw malformed(`expected ${HEADER}`)
  const extra = lines[0]?.startsWith('extra ') ? fromCanonicalBase64(lines.shift()!.slice(6), 'proof') : undefined
  const index = lines.shift() ?? ''
  if (!index.startsWith('index ')) throw malformed('expected a line with the index')
  if (lines.length > MOST_HASHES) throw malformed(`more than ${MOST_HASHES} hashes`)
  const path = lines.map((line) => fromCanonicalBase64(line, 'proof', HASH_LENGTH))
  const checkpoint = text.slice(end + 2)
  Checkpoint.parse(checkpoint)
  return { ...(extra && { extra }), index: Checkpoint.parseSize(index.slice(6)), path, checkpoint }
}

export interface Proven {
  readonly index: number
  readonly checkpoint: Checkpoint.SignedCheckpoint
  /** When the quorum of witnesses had seen it: the entry is not younger. undefined when the policy asks for none. */
  readonly witnessed: Date | undefined
}

/**
 * Throws LOG_MALFORMED, LOG_ORIGIN_WRONG, LOG_SIGNATURE_INVALID, LOG_UNWITNESSED or LOG_PROOF_INVALID, in this order.
 */
export function verify(
  proof: string | LogProof,
  entry: Bytes,
  policy: LogPolicy.LogPolicy,
  options: { readonly ed25519?: VerifyEd25519 } = {},
): Proven {
  const { index, path, checkpoint: text } = typeof proof === 'string' ? parse(proof) : proof
  const { checkpoint, witnessed } = LogPolicy.accept(text, policy, options)
  verifyInclusion({ leafHash: hashLeaf(entry), index, size: checkpoint.size, proof: path }, checkpoint.root)
  return { index, checkpoint, witnessed }
}

const malformed = (why: string): TallyError => new TallyError('LOG_MALFORMED', `the proof cannot be read: ${why}`)
