/**
 * Variants measured in turn, round after round, in an order that rotates, so that none always runs behind the same one. A
 * ratio is the median of the rounds' ratios: what the machine does to one round, it does to both sides of it.
 */
import type { Loader, Rate } from './load.ts'
import { cpuOf } from './processes.ts'
import { median } from './report.ts'

export interface Variant {
  readonly pid: number
  readonly port: number
  /** Whole request heads, sent in rotation. */
  readonly requests: readonly string[]
  readonly status: number
}

/** `cpu`: microseconds of the measured process per request; NaN where the system does not tell. */
export type Sample = Rate & { readonly cpu: number }

export interface Pairing {
  readonly rounds: number
  readonly milliseconds: number
  readonly connections: number
  readonly perSecond?: number
}

export interface Paired<Name extends string> {
  readonly samples: ReadonlyMap<Name, readonly Sample[]>
  /** Requests per second of one against another. */
  readonly rate: (name: Name, base: Name) => number
  /** How many requests it can do in the CPU time of one of `base`. */
  readonly cpu: (name: Name, base: Name) => number
  /** Milliseconds. */
  readonly p99: (name: Name) => number
}

const WARMING = 2

export async function pair<Name extends string>(
  loader: Loader,
  variants: Readonly<Partial<Record<Name, Variant>>>,
  { rounds, ...load }: Pairing,
): Promise<Paired<Name>> {
  const all = Object.entries(variants) as [Name, Variant][]
  const samples = new Map<Name, Sample[]>(all.map(([name]) => [name, []]))
  // Some rounds only warm up: code that is new to V8 takes several times as long.
  for (let round = -WARMING; round < rounds; round++)
    for (const [i] of all.entries()) {
      const [name, { pid, ...variant }] = all[(i + Math.max(round, 0)) % all.length]!
      const before = cpuOf(pid)
      const rate = await loader.drive({ ...variant, ...load })
      const cpu = (cpuOf(pid) - before) / rate.answered
      if (rate.errors > 0) throw new Error(`${name}: ${rate.errors} answers were not ${variant.status}`)
      if (round >= 0) samples.get(name)!.push({ ...rate, cpu })
    }
  const ratio = (name: Name, base: Name, of: (own: Sample, other: Sample) => number): number =>
    median(samples.get(name)!.map((own, i) => of(own, samples.get(base)![i]!)))
  return {
    samples,
    rate: (name, base) => ratio(name, base, (own, other) => own.perSecond / other.perSecond),
    cpu: (name, base) => ratio(name, base, (own, other) => other.cpu / own.cpu),
    p99: (name) => median(samples.get(name)!.map(({ p99 }) => p99)),
  }
}
