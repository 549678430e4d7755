/** What an attempt took, byte for byte as sqlite/charges.ts packs it, but as hex: 48 bytes a charge. */
import type { Step } from '../plan.ts'

const METER = 64
const RECORD = METER + 16 + 16

export interface Taken {
  readonly meter: string
  readonly taken: bigint
  readonly remaining: bigint
}

const int64 = (value: bigint): string => value.toString(16).padStart(16, '0')

export function packCharges(
  charges: readonly { readonly meter: string }[],
  steps: readonly Pick<Step, 'taken' | 'remaining'>[],
): string {
  return charges.map(({ meter }, index) => meter + int64(steps[index]!.taken) + int64(steps[index]!.remaining)).join('')
}

export function unpackCharges(packed: string): readonly Taken[] {
  return Array.from({ length: packed.length / RECORD }, (_, index) => {
    const at = index * RECORD
    return {
      meter: packed.slice(at, at + METER),
      taken: BigInt(`0x${packed.slice(at + METER, at + METER + 16)}`),
      remaining: BigInt(`0x${packed.slice(at + METER + 16, at + RECORD)}`),
    }
  })
}
