/**
 * Issues receipts: writes them, signs what comes together with one signature, logs the leaf and keeps the content, and only
 * then lets the response go. Without a receipt nothing is sold.
 *
 * What nobody waits for (deliveries, refunds, denials) rides with the next that somebody does, or goes after a moment.
 */
import { concat, randomBytes, toHex } from '../core/bytes.ts'
import type { Document } from '../core/canonical.ts'
import { TallyError } from '../core/errors.ts'
import * as Receipt from '../core/Receipt.ts'
import type { Entry } from '../storage/Book.ts'
import type { ReceiptLog } from './log.ts'

export interface IssuerOptions {
  readonly signer: Receipt.Signer
  readonly log: Pick<ReceiptLog, 'key' | 'appendAll' | 'book' | 'prove' | 'checkpoint'>
  readonly clock: () => Date
  /** What could not be written though nobody waited for it. */
  readonly onTrouble?: ((error: TallyError) => void) | undefined
}

/** What a receipt is about, beside what it says. */
export interface Subject {
  readonly deal: string
  readonly prev?: string | undefined
  readonly service: string
  readonly hands: Entry['hands']
}

/** Issued and on disk. */
export interface Issued extends Receipt.Carried {
  readonly id: string
  readonly digest: string
}

export interface Issuer {
  /** Rejects with RECEIPT_UNAVAILABLE. */
  readonly issue: (kind: Receipt.KindName, fields: Document, subject: Subject) => Promise<Issued>
  /** The same, and whoever asked does not wait. */
  readonly note: (kind: Receipt.KindName, fields: Document, subject: Subject) => void
  /** Why no receipt can be issued now. While that is so, it is tried again about once a second. */
  readonly trouble: () => TallyError | undefined
  /** Resolves when what was noted is on disk, or failed to get there. */
  readonly flushed: () => Promise<void>
}

interface Pending {
  readonly draft: Receipt.Draft
  readonly id: string
  readonly at: Date
  readonly subject: Subject
  readonly done: (issued: Issued) => void
  readonly failed: (error: TallyError) => void
}

/** Milliseconds for which what nobody waits for is gathered, and between two tries when the log is down. */
const GATHER = 20
const RETRY = 1000
/** More than this waiting for a log that does not keep up is refused: memory has an end. */
const MOST_PENDING = 20_000

export function createIssuer({ signer, log, clock, onTrouble = () => {} }: IssuerOptions): Issuer {
  let pending: Pending[] = []
  let due: 'now' | 'soon' | undefined
  let down: { readonly error: TallyError; at: number } | undefined
  const flights = new Set<Promise<void>>()

  function add(kind: Receipt.KindName, fields: Document, subject: Subject, urgent: boolean): Promise<Issued> {
    if (pending.length >= MOST_PENDING)
      return Promise.reject(new TallyError('RECEIPT_UNAVAILABLE', 'more receipts wait for the log than it takes'))
    const at = clock()
    const id = idAt(at)
    const draft = Receipt.draft(kind, fields, {
      id,
      deal: subject.deal,
      prev: subject.prev,
      log: log.key.name,
      now: at,
    })
    const issued = new Promise<Issued>((done, failed) => pending.push({ draft, id, at, subject, done, failed }))
    if (urgent && due !== 'now') {
      due = 'now'
      // Those whose spends shared a commit come in one go; behind them, they also share a signature.
      queueMicrotask(flush)
    } else if (due === undefined) {
      due = 'soon'
      setTimeout(() => due === 'soon' && flush(), GATHER)
    }
    return issued
  }

  function flush(): void {
    due = undefined
    for (let rest = pending.splice(0); rest.length > 0;) {
      const batch = rest.slice(0, Receipt.MOST_BATCH)
      rest = rest.slice(Receipt.MOST_BATCH)
      const flight = write(batch).finally(() => flights.delete(flight))
      flights.add(flight)
    }
  }

  async function write(batch: readonly Pending[]): Promise<void> {
    try {
      const envelopes = Receipt.signAll(
        batch.map(({ draft }) => draft),
        signer,
      )
      const salts = randomBytes(Receipt.SALT_LENGTH * batch.length)
      const written = batch.map(({ at, draft: { kind } }, i) => {
        const salt = salts.slice(i * Receipt.SALT_LENGTH, (i + 1) * Receipt.SALT_LENGTH)
        return Receipt.seal(envelopes[i]!, salt, { kind, at })
      })
      const { index } = await log.appendAll(
        written.map(({ leaf }) => leaf),
        (first) => batch.map((one, i) => entryOf(one, { ...written[i]!, index: first + i })),
      )
      down = undefined
      for (const [i, { id, draft, done }] of batch.entries()) {
        const { salt } = written[i]!
        done({ id, envelope: envelopes[i]!, salt, index: index + i, digest: Receipt.digest(draft) })
      }
    } catch (cause) {
      if (!TallyError.is(cause)) throw cause
      const error = new TallyError('RECEIPT_UNAVAILABLE', `no receipt can be issued: ${cause.message}`, { cause })
      if (!down) onTrouble(error)
      down = { error, at: clock().getTime() }
      for (const { failed } of batch) failed(error)
    }
  }

  function trouble(): TallyError | undefined {
    if (!down) return undefined
    const now = clock().getTime()
    if (now >= down.at + RETRY || now < down.at) {
      down.at = now
      const id = toHex(randomBytes(32))
      const keys = { keys: [toHex(signer.publicKey)] }
      // Any receipt will do to find out; this one says nothing new.
      add('keybind', keys, { deal: id, service: '', hands: [] }, true).catch(() => {})
    }
    return down.error
  }

  return {
    issue: (kind, fields, subject) => add(kind, fields, subject, true),
    note: (kind, fields, subject) => void add(kind, fields, subject, false).catch(onTrouble),
    trouble,
    async flushed() {
      if (pending.length > 0) flush()
      await Promise.all(flights)
    },
  }
}

function entryOf({ draft, id, at, subject }: Pending, sealed: Receipt.Sealed & { readonly index: number }): Entry {
  const { text, salt, index } = sealed
  const { deal, service, hands } = subject
  return {
    id,
    deal,
    kind: draft.kind,
    index,
    at,
    service,
    hands,
    content: { envelope: text, salt },
  }
}

/** Begins with the time, so that neighbours in the book's index were made together. */
function idAt(at: Date): string {
  const time = new Uint8Array(8)
  new DataView(time.buffer).setBigUint64(0, BigInt(at.getTime()))
  return toHex(concat(time.subarray(2), randomBytes(10)))
}
