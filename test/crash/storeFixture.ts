/** What parent and child of the store's crash tests both know. */
import { msats, sats, type Charge } from 'tallystick/core'
import type { Cap, Purchase, Quote, Ruling } from 'tallystick/storage'

export const now = new Date('2026-01-15T12:00:00Z')
/** Long enough ago to be swept. */
export const longAgo = new Date('2026-01-10T12:00:00Z')

export const LIMIT = 50
export const WAVE = 20
export const WAVES = 10

export const METER = 'ab'.repeat(32)
export const otherMeter = (index: number): string => index.toString(16).padStart(64, '0')
export const attemptKey = (index: number): string => `attempt-${String(index).padStart(4, '0')}`

export const chargeOf = (meter: string, expires = new Date('2027-01-01T00:00:00Z')): Charge => ({
  meter,
  kind: 'uses',
  cost: 1n,
  limit: BigInt(LIMIT),
  expires,
  caveat: `uses=${LIMIT}`,
  link: undefined,
})

/** Meters of which one reserves from the other, and for how long. */
export const RESERVED = [otherMeter(0xaaaa), otherMeter(0xbbbb)] as const
export const RESERVED_UNTIL = new Date('2026-01-15T13:00:00Z')
export const reservation = {
  charges: RESERVED.map((meter) => ({ ...chargeOf(meter), cost: 5n })),
  at: now,
  until: RESERVED_UNTIL,
}

export const revocation: Ruling = {
  tag: 'cd'.repeat(32),
  tokenId: new Uint8Array(32).fill(0xcd),
  link: undefined,
  caveat: undefined,
  at: now,
  until: undefined,
}

const hashOf = (index: number): Uint8Array => {
  const hash = new Uint8Array(32).fill(7)
  new DataView(hash.buffer).setUint32(0, index)
  return hash
}

/** Which purchase a payment hash belongs to. */
export const indexOf = (hash: Uint8Array): number => new DataView(hash.buffer, hash.byteOffset).getUint32(0)

export const quoteOf = (index: number, expires = new Date('2026-01-15T13:00:00Z')): Quote => ({
  paymentHash: hashOf(index),
  slot: `slot-${index}`,
  amount: sats(10),
  bolt11: 'lnbcrt100n1…',
  macaroon: 'AgEHZXhhbXBsZQ==',
  service: 'qr',
  route: 'GET /qr',
  terms: '{}',
  created: now,
  expires,
})

export const purchaseOf = (index: number): Purchase => ({
  paymentHash: hashOf(index),
  origin: 'https://api.example.com',
  method: 'GET',
  path: '/qr',
  macaroon: 'AgEHZXhhbXBsZQ==',
  scheme: 'L402',
  bolt11: 'lnbcrt100n1…',
  amount: sats(10),
  maxFee: sats(1),
  at: now,
})

/** Room for 50 purchases. */
export const cap: Cap = { name: 'the cap', limit: msats(550_000n), since: new Date(0) }
