/** What a log asks of a witness (c2sp.org/tlog-witness): the size it saw last, the proof from there, and the checkpoint. */
import { toBase64, type Bytes } from './bytes.ts'
import { fromCanonicalBase64 } from './canonicalBase64.ts'
import * as Checkpoint from './Checkpoint.ts'
import { TallyError } from './errors.ts'
import { HASH_LENGTH } from './Merkle.ts'

export interface AddCheckpoint {
  readonly old: number
  readonly proof: readonly Bytes[]
  readonly checkpoint: string
}

export const MOST_HASHES = 63

export const format = ({ old, proof, checkpoint }: AddCheckpoint): string =>
  `${[`old ${old}`, ...proof.map(toBase64)].join('\n')}\n\n${checkpoint}`

/** The checkpoint is not verified. Throws LOG_MALFORMED. */
export function parse(text: string): AddCheckpoint {
  const end = text.indexOf('\n\n')
  const [first = '', ...hashes] = end < 0 ? [] : text.slice(0, end).split('\n')
  if (!first.startsWith('old ')) throw malformed('expected a line with the old size, hashes, an empty line')
  if (hashes.length > MOST_HASHES) throw malformed(`more than ${MOST_HASHES} hashes`)
  const checkpoint = text.slice(end + 2)
  Checkpoint.parse(checkpoint)
  return {
    old: Checkpoint.parseSize(first.slice(4)),
    proof: hashes.map((line) => fromCanonicalBase64(line, 'proof', HASH_LENGTH)),
    checkpoint,
  }
}

const malformed = (why: string): TallyError => new TallyError('LOG_MALFORMED', `the request cannot be read: ${why}`)
