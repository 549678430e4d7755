/**
 * Whether one upstream gets requests. It is out when a connection to it failed, or when two checks in a row did, and back
 * when one goes well; nobody's request is the experiment. Without checks of its own it is dialled in the background, less
 * and less often. Only connections count: a slow or wrong answer may be the fault of one request, and whoever could send
 * that request could take the upstream from everybody else.
 */

/** Tells its outcome once, undefined if all is well, else why not. Returns what ends it early. */
export type Probe = (done: (reason: string | undefined) => void) => () => void

export interface HealthOptions {
  readonly probe: Probe
  /** Milliseconds between checks; undefined: dial only what is out. */
  readonly every: number | undefined
  readonly onChange: (health: Health) => void
  /** Why it was out when somebody else last looked. */
  readonly out?: string | undefined
}

export interface Health {
  readonly up: boolean
  /** Why it is out. */
  readonly reason: string | undefined
  /** Milliseconds until it is asked again, when it is out. */
  readonly retryIn: number
  /** A connection to it failed. */
  failed(reason: string): void
  /** A connection to it came about. */
  connected(): void
  close(): void
}

const FIRST_WAIT = 1000
const LONGEST_WAIT = 30_000
/** Checks in a row. One that fails may be a hiccup, of ours even. */
const MOST_FAILURES = 2

export function createHealth({ probe, every, onChange, out }: HealthOptions): Health {
  let up = out === undefined
  let first = every !== undefined
  let reason = out
  let failures = 0
  let wait = every ?? FIRST_WAIT
  let due = 0
  let timer: NodeJS.Timeout | undefined
  let cancel: (() => void) | undefined
  let closed = false

  function check(): void {
    timer = undefined
    cancel = probe((found) => {
      cancel = undefined
      if (closed) return
      if (found === undefined) recover()
      else miss(found)
      if (every !== undefined || !up) schedule(wait)
    })
  }

  function schedule(ms: number): void {
    if (closed || timer !== undefined || cancel !== undefined) return
    due = performance.now() + ms
    timer = setTimeout(check, ms)
    timer.unref()
  }

  function recover(): void {
    failures = 0
    wait = every ?? FIRST_WAIT
    change(true, undefined)
  }

  function miss(why: string): void {
    // The very first check has nothing before it that speaks for the upstream.
    failures = first ? MOST_FAILURES : failures + 1
    if (every === undefined) wait = Math.min(wait * 2, LONGEST_WAIT)
    if (failures >= MOST_FAILURES || !up) change(false, why)
  }

  function change(now: boolean, why: string | undefined): void {
    first = false
    reason = why
    if (up === now) return
    up = now
    onChange(health)
  }

  const health: Health = {
    get up() {
      return up
    },
    get reason() {
      return reason
    },
    get retryIn() {
      return Math.max(0, due - performance.now())
    },
    failed(why) {
      if (closed || !up) return
      change(false, why)
      schedule(wait)
    },
    connected() {
      // What a check found is for the next check to take back.
      if (closed || every !== undefined || up) return
      clearTimeout(timer)
      timer = undefined
      recover()
    },
    close() {
      closed = true
      clearTimeout(timer)
      cancel?.()
    },
  }
  if (every !== undefined) check()
  else if (!up) schedule(wait)
  return health
}
