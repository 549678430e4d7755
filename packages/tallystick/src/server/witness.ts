/**
 * A witness (c2sp.org/tlog-witness): signs for a log that its newest tree continues the last one this witness signed for,
 * and so never for two histories. It keeps one checkpoint for each log it was told to watch, and knows nothing of entries.
 */
import { toHex, utf8 } from '../core/bytes.ts'
import * as AddCheckpoint from '../core/AddCheckpoint.ts'
import * as Checkpoint from '../core/Checkpoint.ts'
import type { Signer, VerifyEd25519 } from '../core/ed25519.ts'
import { TallyError } from '../core/errors.ts'
import { sha256 } from '../core/hmac.ts'
import * as Merkle from '../core/Merkle.ts'
import * as Note from '../core/Note.ts'
import type { WitnessStore } from '../storage/WitnessStore.ts'
import type { Answer } from './Call.ts'

export interface WitnessOptions {
  /** In its signature lines: `witness.example.com/w1`. */
  readonly name: string
  readonly signer: Signer
  /** Whom it signs for. Several keys may share an origin, while a log changes its key. */
  readonly logs: readonly Note.VerifierKey[]
  readonly store: WitnessStore
  readonly clock: () => Date
  readonly ed25519?: VerifyEd25519
}

export interface Witness {
  readonly key: Note.VerifierKey
  /** `path` without the witness's prefix: `/add-checkpoint`, `/<hash of the origin>/checkpoint`. */
  handle(request: { readonly method: string; readonly path: string; readonly body: string }): Promise<Answer>
}

/** Where a witness shows what it has signed for this log, below its prefix. */
export const monitoringPath = (origin: string): string => `/${toHex(sha256(utf8(origin)))}/checkpoint`

export function createWitness({ name, signer, logs, store, clock, ed25519 }: WitnessOptions): Witness {
  const shown = new Map(logs.map((log) => [monitoringPath(log.name), log.name]))

  async function addCheckpoint(body: string): Promise<Answer> {
    const { old, proof, checkpoint: text } = AddCheckpoint.parse(body)
    const checkpoint = Checkpoint.parse(text)
    const { origin, size, root, note } = checkpoint
    const keys = logs.filter((log) => log.name === origin)
    if (keys.length === 0) return plain(404, 'this log is not watched here')
    const signed = keys.filter((key) => Note.isSignedBy(note, key, ed25519))
    if (signed.length === 0) return plain(403, 'not signed by a key of this log')
    if (old > size) return plain(400, 'the old size is more than the new one')
    const last = await store.last(origin)
    if (old !== (last?.size ?? 0)) return conflict(last?.size ?? 0)
    const fromRoot = last ? Checkpoint.parse(last.checkpoint).root : Merkle.emptyRoot()
    Merkle.verifyConsistency({ from: old, to: size, fromRoot, toRoot: root, proof })
    // Only what was verified goes on: the log's lines, and ours.
    const own = note.signatures.filter((signature) => signed.some((key) => Note.isBy(signature, key)))
    const cosignature = Checkpoint.cosign(note.text, { name, signer, now: clock() })
    const to = { size, checkpoint: Note.format({ text: note.text, signatures: [...own, cosignature] }) }
    if (await store.advance(origin, { old, to })) return plain(200, Note.signatureLine(cosignature))
    return conflict((await store.last(origin))?.size ?? 0)
  }

  return {
    key: Note.verifierKey(name, signer.publicKey, Note.COSIGNATURE),
    async handle({ method, path, body }) {
      try {
        if (path === '/add-checkpoint')
          return method === 'POST' ? await addCheckpoint(body) : plain(405, 'expected POST')
        const origin = shown.get(path)
        const last = origin !== undefined && method === 'GET' ? await store.last(origin) : undefined
        return last ? plain(200, last.checkpoint) : plain(404, 'nothing is here')
      } catch (error) {
        if (!TallyError.is(error)) throw error
        return plain(STATUS[error.code] ?? error.status, `${error.code}: ${error.message}`)
      }
    },
  }
}

const STATUS: { readonly [code: string]: number } = {
  LOG_MALFORMED: 400,
  LOG_SIGNATURE_INVALID: 403,
  LOG_PROOF_INVALID: 422,
}

const conflict = (size: number): Answer => ({
  status: 409,
  headers: [['content-type', 'text/x.tlog.size']],
  body: `${size}\n`,
})

const plain = (status: number, body: string): Answer => ({
  status,
  headers: [
    ['content-type', 'text/plain; charset=utf-8'],
    ['cache-control', 'no-store'],
  ],
  body: body.endsWith('\n') ? body : `${body}\n`,
})
