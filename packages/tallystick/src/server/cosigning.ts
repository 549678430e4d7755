/**
 * Brings the newest checkpoint of a log to its witnesses, and shows it with what they sign. A log goes on without them: whoever
 * relies on it has a policy, and does not take what too few have seen.
 *
 * It is also how a log finds out that it was taken back: a witness that has seen more than the log knows of shows a
 * checkpoint signed with the log's own key. On the mere word of a witness nothing is stopped.
 */
import { fromUtf8, toHex } from '../core/bytes.ts'
import * as AddCheckpoint from '../core/AddCheckpoint.ts'
import * as Checkpoint from '../core/Checkpoint.ts'
import type { VerifyEd25519 } from '../core/ed25519.ts'
import { TallyError } from '../core/errors.ts'
import * as LogPolicy from '../core/LogPolicy.ts'
import * as Note from '../core/Note.ts'
import type { ReceiptLog } from './log.ts'
import { readAtMost } from './readAtMost.ts'
import { monitoringPath } from './witness.ts'

export interface CosigningOptions {
  readonly log: ReceiptLog
  /** Its witnesses with a URL are asked. */
  readonly policy: LogPolicy.LogPolicy
  readonly clock: () => Date
  readonly fetch?: typeof fetch
  readonly ed25519?: VerifyEd25519
  readonly onTrouble: (error: unknown) => void
}

export interface Cosigning {
  /** Before anything is signed: what have they seen? Throws LOG_ROLLED_BACK or LOG_FORKED, and stops the log. */
  check(): Promise<void>
  /** Asks whoever is due, once, and shows what came. Never rejects. */
  round(): Promise<void>
}

interface Asked {
  readonly witness: LogPolicy.Witness
  readonly url: string
  /** The size it saw last, as far as we know. */
  size: number
  failures: number
  /** Not before, in milliseconds. */
  due: number
}

/** A witness that does not answer is asked again after 2 s, 4 s and so on, up to five minutes. */
const FIRST_WAIT = 2000
const LONGEST_WAIT = 300_000
const PATIENCE = 3000
const LARGEST_ANSWER = 200_000

export function createCosigning(options: CosigningOptions): Cosigning {
  const { log, policy, clock, fetch: get = fetch, ed25519, onTrouble } = options
  const asked: readonly Asked[] = policy.witnesses.flatMap((witness) =>
    witness.url === undefined ? [] : [{ witness, url: witness.url.replace(/\/$/, ''), size: 0, failures: 0, due: 0 }],
  )

  async function send(url: string, init?: RequestInit): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await get(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(PATIENCE) })
    return { status: answer.status, text: fromUtf8(await readAtMost(answer, LARGEST_ANSWER)) }
  }

  /** What it shows is signed by us: if our tree is not its continuation, the log must not go on. */
  async function compare(one: Asked): Promise<void> {
    const { status, text } = await send(one.url + monitoringPath(log.key.name))
    if (status === 404) return
    if (status !== 200) throw failed(one, `shows no checkpoint (${status})`)
    const seen = Checkpoint.open(text, log.key, { ...(ed25519 && { ed25519 }) })
    const size = log.size
    if (seen.size > size) {
      const why = `${one.witness.name} has seen ${seen.size} entries of ${log.key.name}, and its database has ${size}`
      throw halt(
        new TallyError('LOG_ROLLED_BACK', why, { details: { has: size, signed: seen.size, checkpoint: text } }),
      )
    }
    if (toHex(await log.rootAt(seen.size)) !== toHex(seen.root)) {
      const why = `${one.witness.name} has seen another tree of ${seen.size} entries, signed by ${log.key.name}`
      throw halt(new TallyError('LOG_FORKED', why, { details: { size: seen.size, checkpoint: text } }))
    }
    one.size = seen.size
  }

  function halt(reason: TallyError): TallyError {
    log.stop(reason)
    return reason
  }

  async function ask(one: Asked, checkpoint: string): Promise<Note.Signature[]> {
    const { size, note } = Checkpoint.parse(checkpoint)
    for (let tries = 0; ; tries++) {
      const proof = await log.consistency(one.size, size)
      const body = AddCheckpoint.format({ old: one.size, proof, checkpoint })
      const { status, text } = await send(`${one.url}/add-checkpoint`, { method: 'POST', body })
      if (status === 200) {
        const own = Note.parseSignatures(text).filter((signature) => Note.isBy(signature, one.witness.key))
        // A note has room for so many: whoever signs more than once must not take that of others.
        const signatures = own.slice(0, 1)
        if (!Checkpoint.cosignedAt({ ...note, signatures }, one.witness.key, ed25519))
          throw failed(one, 'answered without a signature of its own')
        one.size = size
        return signatures
      }
      const knows = status === 409 && /^(?:0|[1-9][0-9]{0,15})\n$/.test(text) ? Number(text) : undefined
      if (status === 409 && knows !== undefined && knows <= size && tries === 0) one.size = knows
      else {
        if (status === 409 || status === 422) await compare(one)
        throw failed(one, `answered ${status}`)
      }
    }
  }

  async function askIfDue(one: Asked, checkpoint: string): Promise<Note.Signature[]> {
    const now = clock().getTime()
    if (now < one.due) return []
    try {
      const signatures = await ask(one, checkpoint)
      one.failures = 0
      return signatures
    } catch (error) {
      one.due = now + Math.min(FIRST_WAIT * 2 ** one.failures++, LONGEST_WAIT)
      onTrouble(TallyError.is(error) ? error : failed(one, 'does not answer', error))
      return []
    }
  }

  return {
    async check() {
      for (const one of asked)
        try {
          await compare(one)
        } catch (error) {
          if (TallyError.is(error) && (error.code === 'LOG_ROLLED_BACK' || error.code === 'LOG_FORKED')) throw error
          onTrouble(TallyError.is(error) ? error : failed(one, 'does not answer', error))
        }
    },
    async round() {
      try {
        await log.sync()
        const { checkpoint } = log
        const shown = Checkpoint.parse(await log.published())
        const fresh = Checkpoint.parse(checkpoint)
        // At the same size nobody is asked twice, and nothing is lost of what others signed before.
        const { signatures: before } = (shown.size === fresh.size ? shown : fresh).note
        const missing = asked.filter(({ witness }) => !before.some((signature) => Note.isBy(signature, witness.key)))
        if (shown.size === fresh.size && missing.length === 0) return
        const added = (await Promise.all(missing.map((one) => askIfDue(one, checkpoint)))).flat()
        const signatures = [...before, ...added]
        await log.publish(Note.format({ text: fresh.note.text, signatures }))
      } catch (error) {
        onTrouble(error)
      }
    },
  }
}

const failed = ({ witness }: Asked, what: string, cause?: unknown): TallyError =>
  new TallyError('WITNESS_FAILED', `the witness ${witness.name} ${what}`, { cause })
