/**
 * All that a process writes, one transaction after the other over one connection at a time. What is asked for while one is
 * under way goes into the next, together: the commit in flight is the window in which a batch gathers, and there is no timer.
 *
 * When the connection is lost under a COMMIT, the batch is either done or not, and nobody has said which. Each commit counts up
 * a row of this process, so the next connection reads it, after waiting for its lock: a server that still works on the old
 * transaction holds it. If the database does not come back at once, callers hear STORE_UNSURE; what was charged for them is
 * taken back as soon as it is known to have been, because none of them was told that it may go on.
 */
import { TallyError } from '../../core/errors.ts'
import { failure, isAgain, isUndone } from './failure.ts'
import { borrow, giveBack, type PostgresClient, type PostgresPool, type PostgresResult } from './Pool.ts'
import type { Writer } from './write.ts'

/** A transaction that jobs of one sort share. */
export interface Sort<J> {
  /** How many may share one. */
  readonly most: number
  /** Runs the jobs up to their commit. `undefined`: begin anew. An outcome that is an Error is a refusal. */
  readonly perform: (client: PostgresClient, jobs: readonly J[], end: End) => Promise<readonly unknown[] | undefined>
  /** Keys of what these jobs charged, to be taken back if they never hear of it. */
  readonly charged?: (jobs: readonly J[], outcomes: readonly unknown[]) => readonly string[]
}

/** How a transaction ends. */
export interface End {
  readonly writer: Writer
  /** To be called with what the jobs came to, when nothing but the COMMIT is left to ask or it goes with the writes. */
  readonly commit: (outcomes: readonly unknown[]) => Promise<PostgresResult>
  /** What these jobs learnt when they were begun before. */
  readonly memory: { want?: unknown }
}

interface Job {
  readonly sort: Sort<unknown>
  readonly work: unknown
  readonly resolve: (outcome: unknown) => void
  readonly reject: (reason: unknown) => void
}

/** A commit of which we do not know whether it was done. */
interface Unsure {
  readonly commits: number
  readonly jobs: readonly Job[]
  readonly outcomes: readonly unknown[]
}

export interface Lane {
  write<J>(sort: Sort<J>, work: J): Promise<unknown>
  /** Resolves when all that was asked for is done, and refuses from then on. */
  close(): Promise<void>
  assertOpen(): void
}

export interface LaneOptions {
  readonly pool: PostgresPool
  /** The row of this process, which is there. */
  readonly writer: string
  readonly clock: () => Date
  /** The job that takes charges back. */
  readonly undo: (key: string) => { readonly sort: Sort<never>; readonly work: unknown }
}

/** Each time somebody else was first with a row, so they went on. */
const MOST_TRIES = 100

export function createLane({ pool, writer: id, clock, undo }: LaneOptions): Lane {
  let commits = 0
  let queue: Job[] = []
  let running: Promise<void> | undefined
  let unsure: Unsure | undefined
  /** Keys of what was charged for nobody. */
  let undoing: readonly string[] = []
  let open = true

  async function run(): Promise<void> {
    while (queue.length > 0) await turn()
    running = undefined
  }

  async function turn(): Promise<void> {
    let jobs: readonly Job[] = []
    try {
      const outcomes = await settled(() => (jobs = take()))
      for (const [index, job] of jobs.entries()) {
        const outcome = outcomes[index]
        if (outcome instanceof Error) job.reject(outcome)
        else job.resolve(outcome)
      }
    } catch (error) {
      // With no connection all of them would fail, one after the other, each after as long a wait.
      for (const job of jobs.length > 0 ? jobs : queue.splice(0)) job.reject(error)
    }
  }

  /** The first that may share a transaction; in front of them what is to be undone. */
  function take(): readonly Job[] {
    const keys = undoing
    undoing = []
    queue.unshift(...keys.map(undoingJob))
    const first = queue[0]?.sort
    let count = 0
    while (first && count < first.most && queue[count]?.sort === first) count++
    return queue.splice(0, count)
  }

  function undoingJob(key: string): Job {
    const { sort, work } = undo(key)
    const again = (): void => void (undoing = [...undoing, key])
    return { sort: sort as Sort<unknown>, work, resolve: () => {}, reject: again }
  }

  /** `gather` is called when there is a connection, so that as many as possible share it. */
  async function settled(gather: () => readonly Job[]): Promise<readonly unknown[]> {
    let jobs: readonly Job[] | undefined
    for (let lost = 0; ;) {
      let client: PostgresClient | undefined
      try {
        client = await borrow(pool)
        const before = await lookUp(client)
        if (before) return before
        jobs ??= gather()
        const outcomes = await perform(client, jobs)
        giveBack(client, { broken: false })
        return outcomes
      } catch (error) {
        if (client) giveBack(client, { broken: true })
        const reason = failure(error, 'cannot write to the database')
        if (!client || ++lost > 1 || !TallyError.is(reason) || isUndone(error)) throw mine(jobs) ? doubt(error) : reason
      }
    }

    /** What the jobs of this turn came to, where the connection was lost and the commit was done all the same. */
    async function lookUp(connection: PostgresClient): Promise<readonly unknown[] | undefined> {
      if (!unsure) return undefined
      const { rows } = await connection.query(
        'SELECT commits::text AS commits FROM tally_writers WHERE id = $1 FOR UPDATE',
        [id],
      )
      const done = rows[0] !== undefined && Number(rows[0]['commits']) >= unsure.commits
      const { jobs: asked, outcomes } = unsure
      unsure = undefined
      if (!done) return undefined
      if (asked === jobs) {
        giveBack(connection, { broken: false })
        return outcomes
      }
      const works = asked.map(({ work }) => work)
      undoing = [...undoing, ...(asked[0]!.sort.charged?.(works, outcomes) ?? [])]
      return undefined
    }
  }

  const mine = (jobs: readonly Job[] | undefined): boolean => unsure !== undefined && unsure.jobs === jobs

  async function perform(client: PostgresClient, jobs: readonly Job[]): Promise<readonly unknown[]> {
    if (jobs.length === 0) return []
    const { sort } = jobs[0]!
    const memory = {}
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const writer: Writer = { id, commits: ++commits, at: clock().getTime() }
      const commit = (outcomes: readonly unknown[]): Promise<PostgresResult> => {
        unsure = { commits: writer.commits, jobs, outcomes }
        return client.query('COMMIT')
      }
      try {
        const outcomes = await sort.perform(
          client,
          jobs.map(({ work }) => work),
          { writer, commit, memory },
        )
        if (outcomes) {
          unsure = undefined
          return outcomes
        }
      } catch (error) {
        if (isUndone(error)) unsure = undefined
        if (!isAgain(error)) throw error
      }
      await client.query('ROLLBACK')
    }
    throw new TallyError('STORE_UNAVAILABLE', 'the database let others go first a hundred times')
  }

  const assertOpen = (): void => {
    if (!open) throw new TallyError('STORE_UNAVAILABLE', 'the store is closed')
  }

  return {
    assertOpen,
    write(sort, work) {
      assertOpen()
      return new Promise((resolve, reject) => {
        queue.push({ sort: sort as Sort<unknown>, work, resolve, reject })
        running ??= run()
      })
    },
    async close() {
      open = false
      await running
      // One more try: whoever asks next would have to do it, and there is nobody.
      if (unsure || undoing.length > 0) await turn()
    },
  }
}

function doubt(cause: unknown): TallyError {
  const message = 'the connection to the database was lost during a commit, and with it whether that was done'
  return new TallyError('STORE_UNSURE', message, { cause })
}
