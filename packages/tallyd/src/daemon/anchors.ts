/** Anchors of the log's checkpoints, one file each, and who asks the calendars for them now and then. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { Anchor, Checkpoint, Ots, TallyError } from 'tallystick/core'
import { createAnchor, type Anchored, type AnchorStore, type ReceiptLog } from 'tallystick/server'

export interface AnchorsOptions {
  readonly dir: string
  readonly log: ReceiptLog
  readonly calendars: readonly string[]
  /** Seconds. */
  readonly every: number
  readonly clock: () => Date
  readonly onTrouble: (error: TallyError) => void
}

export interface Anchors extends AsyncDisposable {
  /** The first anchor in a block that covers a tree of `size` entries, as text; undefined while there is none. */
  covering(size: number): Promise<string | undefined>
}

/** Milliseconds between two looks at what the calendars know by now. */
const STEP = 600_000

export function openAnchors({ dir, log, calendars, every, clock, onTrouble }: AnchorsOptions): Anchors {
  const store = anchorFiles(dir)
  const anchor = createAnchor({ log, store, calendars, every, clock, onTrouble })
  let running: Promise<void> = Promise.resolve()
  const step = (): void => {
    running = running.then(() => anchor.step())
  }
  const timer = setInterval(step, STEP).unref()
  step()
  const sizes = new WeakMap<Anchored, number>()
  const sizeOf = (anchored: Anchored): number => {
    const known = sizes.get(anchored) ?? Checkpoint.parse(anchored.checkpoint).size
    sizes.set(anchored, known)
    return known
  }
  return {
    async covering(size) {
      for (const anchored of await store.all()) {
        const { checkpoint, timestamp } = anchored
        const to = sizeOf(anchored)
        if (size < 1 || to < size || !isInBlock(timestamp)) continue
        return Anchor.format({ checkpoint, timestamp, consistency: await log.consistency(size, to) })
      }
      return undefined
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await running
    },
  }
}

const isInBlock = (timestamp: Ots.Timestamp): boolean =>
  Ots.attestations(timestamp).some(({ attestation }) => attestation.kind === 'bitcoin')

/** Named by when they were submitted and the size of the tree, so that they sort in their order. */
export function anchorFiles(dir: string): AnchorStore {
  const nameOf = ({ at, checkpoint }: Anchored): string =>
    `${String(Math.floor(at.getTime() / 1000)).padStart(12, '0')}-${Checkpoint.parse(checkpoint).size}.anchor`
  /** Nobody else writes them, and strangers may ask for them as often as they like. */
  let known: Anchored[] | undefined
  return {
    async all() {
      known ??= reading(dir, () =>
        (existsSync(dir) ? readdirSync(dir) : [])
          .filter((name) => /^[0-9]{12}-[0-9]+\.anchor$/.test(name))
          .sort()
          .map((name): Anchored => {
            const { checkpoint, timestamp } = Anchor.parse(readFileSync(join(dir, name), 'utf8'))
            return { checkpoint, timestamp, at: new Date(Number(name.slice(0, 12)) * 1000) }
          }),
      )
      return [...known]
    },
    async put(anchored) {
      reading(dir, () => {
        mkdirSync(dir, { recursive: true, mode: 0o700 })
        const path = join(dir, nameOf(anchored))
        const file = openSync(`${path}.new`, 'w', 0o600)
        try {
          writeSync(file, Anchor.format({ ...anchored, consistency: [] }))
          fsyncSync(file)
        } finally {
          closeSync(file)
        }
        renameSync(`${path}.new`, path)
      })
      known = undefined
    },
  }
}

function reading<T>(dir: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (TallyError.is(cause)) throw new TallyError(cause.code, `${dir}: ${cause.message}`, { cause })
    throw new TallyError('FILE_UNAVAILABLE', `${dir}: ${code ?? 'failed'}`, { cause })
  }
}
