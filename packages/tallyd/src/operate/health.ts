/**
 * Whether this process should be sent requests. Looked at in the background, so that a probe is answered from memory and
 * a thousand of them ask the node nothing.
 *
 * A node that goes away after it was there once is told, and does not make the gateway unready: what was bought before
 * keeps working, and to be taken out of service would end that too.
 */
import { TallyError } from 'tallystick/core'

/** Why a part is not there, in a word that any prober may read. */
export class NotReady extends Error {
  override readonly name = 'NotReady'
  readonly reason: string

  constructor(reason: string) {
    super(`not ready: ${reason}`)
    this.reason = reason
  }
}

export type PartState = 'ok' | 'starting' | 'degraded' | 'failed'

export interface Part {
  readonly name: string
  readonly state: PartState
  /** In words that any prober may read. */
  readonly reason?: string
}

export interface Readiness {
  readonly ready: boolean
  readonly draining: boolean
  readonly parts: readonly Part[]
}

export interface Probe {
  readonly name: string
  /** Rejects with NotReady or a TallyError, or resolves. */
  readonly check: () => Promise<void>
  /** Once it was there, its failure is told and nothing more. */
  readonly spares?: true
}

export interface Health extends AsyncDisposable {
  readonly readiness: () => Readiness
  /** Looks at everything now. */
  readonly refresh: () => Promise<void>
  readonly drain: () => void
}

export interface HealthOptions {
  readonly probes: readonly Probe[]
  readonly clock: () => Date
  /** Parts that know how they are, asked whenever somebody wants to know. */
  readonly known?: () => readonly Part[]
  /** Milliseconds that no setting of the clock changes. */
  readonly monotonic?: () => number
  /** A part changed its state. */
  readonly onChange?: (part: Part) => void
  /** By how many milliseconds, forward or back. */
  readonly onJump?: (milliseconds: number) => void
}

const EVERY = 5000
const PATIENCE = 4000
/** Slews of NTP are far below this, and no token lives so short that it would matter. */
const JUMP = 60_000

export function createHealth(options: HealthOptions): Health {
  const { probes, clock, monotonic = () => performance.now(), onChange = () => {}, onJump = () => {} } = options
  const { known = () => [] } = options
  const all = (): readonly Part[] => [...parts.values(), ...known()]
  const parts = new Map(probes.map(({ name }): [string, Part] => [name, { name, state: 'starting' }]))
  const seen = new Set<string>()
  let draining = false
  let offset = clock().getTime() - monotonic()
  let looking: Promise<void> | undefined

  async function look({ name, check, spares }: Probe): Promise<void> {
    let next: Part = { name, state: 'ok' }
    try {
      await inTime(check())
      seen.add(name)
    } catch (error) {
      next = { name, state: spares && seen.has(name) ? 'degraded' : 'failed', reason: reasonOf(error) }
    }
    if (parts.get(name)!.state !== next.state) onChange(next)
    parts.set(name, next)
  }

  function lookAtClock(): void {
    const now = clock().getTime() - monotonic()
    if (Math.abs(now - offset) > JUMP) onJump(now - offset)
    offset = now
  }

  const refresh = (): Promise<void> => {
    looking ??= Promise.all(probes.map(look))
      .then(lookAtClock)
      .finally(() => (looking = undefined))
    return looking
  }

  const timer = setInterval(() => void refresh(), EVERY)
  timer.unref()

  return {
    readiness: () => ({
      ready: !draining && all().every(({ state }) => state === 'ok' || state === 'degraded'),
      draining,
      parts: all(),
    }),
    refresh,
    drain: () => void (draining = true),
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await looking
    },
  }
}

/** The code, not the message: that may name paths and addresses of ours. */
function reasonOf(error: unknown): string {
  if (error instanceof NotReady) return error.reason
  return TallyError.is(error) ? error.code : 'INTERNAL'
}

async function inTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NotReady('no answer in time')), PATIENCE)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
