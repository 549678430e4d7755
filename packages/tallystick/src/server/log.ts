/**
 * The sequence of a transparency log. An append resolves when its entry is on disk, at its place, in a tree that is signed:
 * entries, tiles and checkpoint are one transaction. Whatever is appended while one is under way makes up the next, so
 * there is no timer to wait for, and one signature for all of them.
 *
 * It never signs two trees of which one is not the beginning of the other, as far as this machine can know: what it signed
 * is also in a guard, apart from the log, and a log that is behind its guard is not signed for again.
 */
import { toHex, type Bytes } from '../core/bytes.ts'
import * as Checkpoint from '../core/Checkpoint.ts'
import { edgeOf, grow, rootOf, type Edge } from '../core/Edge.ts'
import type { Signer, VerifyEd25519 } from '../core/ed25519.ts'
import { TallyError } from '../core/errors.ts'
import * as LogProof from '../core/LogProof.ts'
import * as Merkle from '../core/Merkle.ts'
import * as Note from '../core/Note.ts'
import * as Tile from '../core/Tile.ts'
import type { Book, Entry } from '../storage/Book.ts'
import type { LogCommit, LogGuard, LogHead, LogStore } from '../storage/LogStore.ts'
import { createReading } from './log/reading.ts'
import { resourceOf, type Resource } from './log/resources.ts'

export type { Resource } from './log/resources.ts'

export interface LogOptions {
  readonly store: LogStore
  readonly guard: LogGuard
  /** Its name, for ever: `api.example.com/log`. */
  readonly origin: string
  readonly signer: Signer
  readonly ed25519?: VerifyEd25519
}

export interface ReceiptLog extends AsyncDisposable {
  readonly key: Note.VerifierKey
  /** Throws LOG_ENTRY_TOO_LONG, LOG_UNAVAILABLE, LOG_ROLLED_BACK or LOG_FORKED; then the entry may be in the log or not. */
  append(entry: Bytes): Promise<{ readonly index: number }>
  /**
   * The same for several, which get places in a row from `index` on, in one transaction with what `kept` says for the book
   * of the first of them. It is called once for each try.
   */
  appendAll(entries: readonly Bytes[], kept?: (index: number) => readonly Entry[]): Promise<{ readonly index: number }>
  /** In the same database. */
  readonly book: Book
  /** The newest signed, without cosignatures. */
  readonly checkpoint: string
  readonly size: number
  /** That the entry at `index` is in the log, under the newest checkpoint that was shown to witnesses if it is in there. */
  prove(index: number): Promise<LogProof.LogProof>
  /** That the tree of `from` is how the one of `to` began. */
  consistency(from: number, to: number): Promise<readonly Bytes[]>
  /** Of the tree of the first `size` entries. */
  rootAt(size: number): Promise<Bytes>
  /** What others read, by path below the log's prefix: `checkpoint`, `tile/0/000`. */
  resource(path: string): Promise<Resource | undefined>
  /** The checkpoint as it is shown: with cosignatures, if there are witnesses. */
  published(): Promise<string>
  /** From now on this is what is shown. Must be signed by this log. */
  publish(checkpoint: string): Promise<void>
  /** Nothing more is signed: somebody has seen what this log does not know of. */
  stop(reason: TallyError): void
  /** What was signed is known after a power cut as well. */
  sync(): Promise<void>
}

interface Waiting {
  readonly entries: readonly Bytes[]
  readonly kept: ((index: number) => readonly Entry[]) | undefined
  readonly resolve: (place: { readonly index: number }) => void
  readonly reject: (reason: unknown) => void
}

/** Of one transaction, or a little more: how much must be written before the first of them is answered. */
const MOST_AT_ONCE = 4096

/** Throws LOG_ROLLED_BACK, LOG_FORKED, LOG_DAMAGED, LOG_ORIGIN_WRONG or LOG_SIGNATURE_INVALID, and what the store throws. */
export async function openLog({ store, guard, origin, signer, ed25519 }: LogOptions): Promise<ReceiptLog> {
  const key = Note.verifierKey(origin, signer.publicKey)
  let edge: Edge | undefined
  let checkpoint = ''
  let shown: string | undefined
  let waiting: Waiting[] = []
  let running: Promise<void> | undefined
  let stopped: TallyError | undefined
  const reading = createReading(store, () => edge)

  const sign = (size: number, root: Bytes): string => Checkpoint.sign({ origin, size, root }, signer)

  /** What is added, at the moment when the store has its turn. */
  function build(
    head: LogHead,
    take: () => readonly Waiting[],
  ): { commit: LogCommit; taken: readonly Waiting[]; root: Bytes } {
    const last = guard.last()
    if (last && last.size > head.size) throw (stopped = rolledBack(head.size, last.size))
    if (edge?.size !== head.size) edge = edgeOf(head.size, head.edge())
    const taken = take()
    const from = edge.size
    const entries: Bytes[] = []
    const kept: Entry[] = []
    for (const one of taken) {
      if (one.kept) kept.push(...one.kept(from + entries.length))
      entries.push(...one.entries)
    }
    const tiles = grow(edge, entries.map(Merkle.hashLeaf))
    const root = rootOf(edge)
    return { commit: { from, entries, kept, tiles, checkpoint: sign(edge.size, root) }, taken, root }
  }

  async function commitNext(): Promise<void> {
    let built: ReturnType<typeof build> | undefined
    const take = (): readonly Waiting[] => {
      let [count, size] = [0, 0]
      while (count < waiting.length && size < MOST_AT_ONCE) size += waiting[count++]!.entries.length
      return waiting.splice(0, count)
    }
    try {
      const size = await store.commit((head) => {
        // A store that has to try again has written nothing of what it asked for before.
        const again = built?.taken
        if (again) edge = undefined
        built = build(head, () => again ?? take())
        return built.commit
      })
      guard.record({ size, root: built!.root })
      checkpoint = built!.commit.checkpoint
    } catch (error) {
      edge = undefined
      // What the store did not even ask for has not been tried.
      for (const { reject } of built?.taken ?? take()) reject(error)
      return
    }
    const { taken, commit } = built!
    let index = commit.from
    for (const { entries, resolve } of taken) {
      resolve({ index })
      index += entries.length
    }
  }

  async function run(): Promise<void> {
    while (waiting.length > 0) await commitNext()
    running = undefined
  }

  await checkHistory()
  if (checkpoint === '') await start()

  async function appendAll(entries: readonly Bytes[], kept?: Waiting['kept']): Promise<{ readonly index: number }> {
    if (stopped) throw stopped
    for (const entry of entries) if (entry.length > Tile.MOST_ENTRY) throw Tile.tooLong(entry)
    const { promise, resolve, reject } = Promise.withResolvers<{ readonly index: number }>()
    waiting.push({ entries, kept, resolve, reject })
    running ??= run()
    return await promise
  }

  return {
    key,
    book: store.book,
    get checkpoint() {
      return checkpoint
    },
    get size() {
      return sizeOf(checkpoint)
    },
    append: (entry) => appendAll([entry]),
    appendAll,
    async prove(index) {
      const text = sizeOf(await published()) > index ? await published() : checkpoint
      const size = sizeOf(text)
      if (!(Merkle.isSize(index) && index < size))
        throw new TypeError(`the log has ${size} entries, not one at ${index}`)
      return {
        index,
        path: await reading.tree(size, (read) => Merkle.proveInclusion(index, size, read)),
        checkpoint: text,
      }
    },
    consistency: (from, to) => reading.tree(to, (read) => Merkle.proveConsistency(from, to, read)),
    rootAt: (size) => reading.tree(size, (read) => Merkle.root(size, read)),
    async resource(path) {
      const text = path === 'checkpoint' ? await published() : checkpoint
      return await resourceOf(path, { store, size: sizeOf(text), checkpoint: text })
    },
    published,
    async publish(text) {
      const { size } = Checkpoint.open(text, key, { ...(ed25519 && { ed25519 }) })
      await store.publish({ size, checkpoint: text })
      shown = undefined
    },
    stop(reason) {
      stopped ??= reason
    },
    sync: () => guard.sync(),
    async [Symbol.asyncDispose]() {
      stopped ??= new TallyError('LOG_UNAVAILABLE', 'the log is closed')
      await running
      await guard[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }

  async function published(): Promise<string> {
    shown ??= await store.published()
    return shown ?? checkpoint
  }

  async function start(): Promise<void> {
    await commitNext()
    if (checkpoint === '') throw new TallyError('LOG_UNAVAILABLE', `the log ${origin} cannot be begun`)
  }

  /** Is this the log that was signed before, and all of it? */
  async function checkHistory(): Promise<void> {
    const head = await store.head()
    const last = guard.last()
    if (last && last.size > head.size) throw rolledBack(head.size, last.size)
    if (head.checkpoint === undefined) return
    const known = Checkpoint.open(head.checkpoint, key, { ...(ed25519 && { ed25519 }) })
    const root = rootOf((edge = wholeEdge(head)))
    if (known.size !== head.size || toHex(known.root) !== toHex(root))
      throw new TallyError(
        'LOG_DAMAGED',
        `the tiles of ${origin} are not those of the checkpoint it signed at ${known.size}`,
      )
    checkpoint = head.checkpoint
    if (!last) return
    const before =
      last.size === head.size ? root : await reading.tree(last.size, (read) => Merkle.root(last.size, read))
    if (toHex(before) !== toHex(last.root))
      throw new TallyError(
        'LOG_FORKED',
        `${origin} signed another tree of ${last.size} entries before, with the root ${toHex(last.root)}`,
      )
  }

  function wholeEdge(head: LogHead): Edge {
    try {
      return edgeOf(head.size, head.edge())
    } catch (cause) {
      throw new TallyError('LOG_DAMAGED', `tiles or entries of ${origin} are missing`, { cause })
    }
  }

  function rolledBack(has: number, signed: number): TallyError {
    return new TallyError(
      'LOG_ROLLED_BACK',
      `${origin} has signed ${signed} entries, and its database has ${has}: it was restored from an older backup`,
      { details: { has, signed } },
    )
  }
}

/** Of a checkpoint of our own: what it says is known to be well formed. */
const sizeOf = (checkpoint: string): number => Number(checkpoint.split('\n', 2)[1])
