/** What an attempt took, as one value: 48 bytes a charge, because this is written once per paid request. */
import type { Step } from '../plan.ts'

const METER = 32
const RECORD = METER + 8 + 8

export interface Taken {
  readonly meter: Uint8Array
  readonly taken: bigint
  readonly remaining: bigint
}

export function packCharges(meters: readonly Buffer[], steps: readonly Pick<Step, 'taken' | 'remaining'>[]): Buffer {
  const packed = Buffer.allocUnsafe(steps.length * RECORD)
  for (const [index, { taken, remaining }] of steps.entries()) {
    const at = index * RECORD
    meters[index]!.copy(packed, at)
    packed.writeBigInt64BE(taken, at + METER)
    packed.writeBigInt64BE(remaining, at + METER + 8)
  }
  return packed
}

/** As they were read, with other amounts. */
export const repackCharges = (charges: readonly Taken[]): Buffer =>
  packCharges(
    charges.map(({ meter }) => Buffer.from(meter)),
    charges,
  )

export function unpackCharges(packed: Uint8Array): readonly Taken[] {
  const view = Buffer.from(packed.buffer, packed.byteOffset, packed.length)
  return Array.from({ length: packed.length / RECORD }, (_, index) => {
    const at = index * RECORD
    return {
      meter: view.subarray(at, at + METER),
      taken: view.readBigInt64BE(at + METER),
      remaining: view.readBigInt64BE(at + METER + 8),
    }
  })
}
