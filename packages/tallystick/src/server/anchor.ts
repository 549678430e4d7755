/**
 * Anchors checkpoints of the log in Bitcoin, by OpenTimestamps calendars: from a block on, whoever has its header can check
 * that a checkpoint, and with it all that it covers, was there before. Calendars gather digests for some hours first, so
 * this is slow, and needs nobody to be believed but the miners; witnesses are fast, and have to be believed.
 *
 * A calendar can withhold, and no more: what it answers is checked by computing, and only addresses from the
 * configuration are ever asked.
 */
import { toHex, utf8, type Bytes } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import { sha256 } from '../core/hmac.ts'
import * as Ots from '../core/Ots.ts'
import { readAtMost } from './readAtMost.ts'

export interface Anchored {
  /** The signed checkpoint, whose SHA-256 was submitted. */
  readonly checkpoint: string
  readonly timestamp: Ots.Timestamp
  /** When it was submitted. */
  readonly at: Date
}

/** What an anchor must remember. A resolved promise is on disk. */
export interface AnchorStore {
  /** Oldest first. */
  all(): Promise<readonly Anchored[]>
  /** Replaces what is known of this checkpoint. */
  put(anchored: Anchored): Promise<void>
}

export interface AnchorOptions {
  readonly log: { published(): Promise<string> }
  readonly store: AnchorStore
  /** URLs of calendars, without a slash at the end. */
  readonly calendars: readonly string[]
  /** Seconds between two checkpoints that are anchored. */
  readonly every: number
  readonly clock: () => Date
  readonly fetch?: typeof globalThis.fetch
  readonly onTrouble?: (error: TallyError) => void
}

export interface Anchor {
  /** Submits the newest checkpoint if it is time, and asks what became of those before. Never throws a TallyError. */
  step(): Promise<void>
}

const HEADERS = { accept: 'application/vnd.opentimestamps.v1', 'user-agent': 'tallystick' }
/** Milliseconds a calendar has to answer, and how much it may say. */
const TIMEOUT = 10_000
const MOST_BYTES = 10_000

export function createAnchor(options: AnchorOptions): Anchor {
  const { log, store, calendars, every, clock, fetch = globalThis.fetch, onTrouble = () => {} } = options

  /** undefined: the calendar has nothing to say yet. Throws CALENDAR_FAILED and TIMESTAMP_MALFORMED. */
  async function ask(url: string, message: Bytes, body?: Bytes): Promise<Ots.Timestamp | undefined> {
    let response: Response
    try {
      const signal = AbortSignal.timeout(TIMEOUT)
      const request = body ? { method: 'POST', body: Uint8Array.from(body) } : {}
      response = await fetch(url, { ...request, headers: HEADERS, redirect: 'error', signal })
      if (response.status === 404 && !body) return undefined
      if (response.status !== 200) throw new Error(`it answered ${response.status}`)
      return Ots.decodeFor(message, await readAtMost(response, MOST_BYTES))
    } catch (cause) {
      if (TallyError.is(cause)) throw cause
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new TallyError('CALENDAR_FAILED', `${new URL(url).host}: ${why}`, { cause })
    }
  }

  /** What the calendars that answer say; the others are told of, and asked again with the next checkpoint. */
  async function gather(asked: readonly Promise<Ots.Timestamp | undefined>[]): Promise<readonly Ots.Timestamp[]> {
    const found: Ots.Timestamp[] = []
    for (const outcome of await Promise.allSettled(asked)) {
      if (outcome.status === 'fulfilled') found.push(...(outcome.value ? [outcome.value] : []))
      else if (TallyError.is(outcome.reason)) onTrouble(outcome.reason)
      else throw outcome.reason
    }
    return found
  }

  async function submit(checkpoint: string, at: Date): Promise<void> {
    const message = sha256(utf8(checkpoint))
    const answers = await gather(calendars.map((url) => ask(`${url}/digest`, message, message)))
    if (answers.length === 0) return
    const empty: Ots.Timestamp = { message, attestations: [], branches: [] }
    await store.put({ checkpoint, at, timestamp: answers.reduce(Ots.merge, empty) })
  }

  async function upgrade(anchored: Anchored): Promise<void> {
    const { timestamp } = anchored
    const known = Ots.attestations(timestamp)
    if (known.some(({ attestation }) => attestation.kind === 'bitcoin')) return
    const pending = known.flatMap(({ message, attestation }) => {
      // An address in an answer is only a name: another one than we submitted to is not asked.
      const url = attestation.kind === 'pending' && calendars.find((one) => one === attestation.uri.replace(/\/$/, ''))
      return url ? [ask(`${url}/timestamp/${toHex(message)}`, message)] : []
    })
    const answers = await gather(pending)
    if (answers.length > 0) await store.put({ ...anchored, timestamp: answers.reduce(Ots.merge, timestamp) })
  }

  return {
    async step() {
      try {
        const before = await store.all()
        for (const anchored of before) await upgrade(anchored)
        const last = before.at(-1)
        const now = clock()
        if (last && now.getTime() < last.at.getTime() + every * 1000) return
        const checkpoint = await log.published()
        if (checkpoint !== last?.checkpoint) await submit(checkpoint, now)
      } catch (error) {
        if (!TallyError.is(error)) throw error
        onTrouble(error)
      }
    },
  }
}
