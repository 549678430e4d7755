/** What an attempt took, as one value: 48 bytes a charge, because this is written once per paid request. */
import type { Charge } from '../../core/Grant.ts'

const METER = 32
const RECORD = METER + 8 + 8

export interface Taken {
  readonly meter: Uint8Array
  readonly cost: bigint
  readonly remaining: bigint
}

export function packCharges(
  meters: readonly Buffer[],
  charges: readonly Charge[],
  remaining: readonly bigint[],
): Buffer {
  const packed = Buffer.allocUnsafe(charges.length * RECORD)
  for (const [index, { cost }] of charges.entries()) {
    const at = index * RECORD
    meters[index]!.copy(packed, at)
    packed.writeBigInt64BE(cost, at + METER)
    packed.writeBigInt64BE(remaining[index]!, at + METER + 8)
  }
  return packed
}

export function unpackCharges(packed: Uint8Array): readonly Taken[] {
  const view = Buffer.from(packed.buffer, packed.byteOffset, packed.length)
  return Array.from({ length: packed.length / RECORD }, (_, index) => {
    const at = index * RECORD
    return {
      meter: view.subarray(at, at + METER),
      cost: view.readBigInt64BE(at + METER),
      remaining: view.readBigInt64BE(at + METER + 8),
    }
  })
}
