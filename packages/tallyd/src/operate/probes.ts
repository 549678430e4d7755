/** What has to be there for a gateway to serve: each probe asks as little as will tell. */
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { TallyError } from 'tallystick/core'
import type { Receiver } from 'tallystick/lightning'
import type { Store } from 'tallystick/storage'
import type { Config } from '../config.ts'
import type { UpstreamState } from '../gateway/server.ts'
import { NotReady, type Part, type Probe } from './health.ts'

/** Bytes. SQLite needs room for its log even to give a use back. */
const LEAST_ROOM = 8 << 20
/** Before this program was written the clock cannot be right. */
const WRITTEN = Date.parse('2026-11-01T00:00:00Z')
/** No invoice has this hash. */
const NO_HASH = new Uint8Array(32)

/**
 * A service of which no upstream is left. Told and nothing more: every gateway in front of it sees the same, and a load
 * balancer that took all of them out would have nobody left to say 503 and when to come back, nor to serve other services.
 */
export function upstreamsPart(states: readonly UpstreamState[]): Part | undefined {
  const names = [...new Set(states.map(({ service }) => service))]
  if (names.length === 0) return undefined
  const out = names.filter((name) => states.every(({ service, up }) => service !== name || !up))
  if (out.length === 0) return { name: 'upstreams', state: 'ok' }
  return { name: 'upstreams', state: 'degraded', reason: `all are out: ${out.join(', ')}` }
}

export function probesOf(parts: {
  readonly store: Pick<Store, 'cursor'>
  readonly receiver: Pick<Receiver, 'lookupInvoice'>
  readonly config: Pick<Config, 'store' | 'state'>
  readonly clock: () => Date
  /** Bytes that are free where a file is. */
  readonly roomAt?: (dir: string) => Promise<number>
}): readonly Probe[] {
  const { store, receiver, config, clock, roomAt = freeBytes } = parts
  return [
    { name: 'store', check: async () => void (await store.cursor()) },
    {
      name: 'disk',
      check: () => checkRoom(config.store.kind === 'sqlite' ? dirname(config.store.path) : config.state, roomAt),
    },
    { name: 'node', check: async () => void (await receiver.lookupInvoice(NO_HASH)), spares: true },
    { name: 'clock', check: async () => checkClock(clock()) },
  ]
}

async function checkRoom(dir: string, roomAt: (dir: string) => Promise<number>): Promise<void> {
  if ((await roomAt(dir)) < LEAST_ROOM) throw new NotReady('disk full')
}

async function freeBytes(dir: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(dir)
    return bavail * bsize
  } catch (cause) {
    throw new TallyError('STORE_UNAVAILABLE', `cannot look at ${dir}`, { cause })
  }
}

function checkClock(now: Date): void {
  if (now.getTime() < WRITTEN) throw new NotReady('the clock is wrong')
}
