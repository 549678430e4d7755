/**
 * The embedded network in a process made to be killed. Pays, holds, settles and cancels until the fault in argv strikes, and
 * says on stdout what it was told, one JSON line each, so that its parent can hold the network to it.
 *
 * argv: directory, fault as JSON.
 */
import { writeSync } from 'node:fs'
import { Bytes, sats, sha256 } from 'tallystick/core'
import { openEmbedded, type Fault } from 'tallystick-ldk'

export interface Told {
  /** `hold` invoices come with the preimage that settles them. */
  readonly what: 'invoice' | 'hold' | 'paid' | 'failed' | 'settled'
  readonly hash: string
  readonly bolt11?: string
  readonly preimage?: string
}

const [dir, fault] = process.argv.slice(2) as [string, string]
const { receiver, payer } = await openEmbedded({ dir, fault: JSON.parse(fault) as Fault })
const expires = new Date(Date.now() + 3_600_000)
const tell = (told: Told): void => void writeSync(1, `${JSON.stringify(told)}\n`)

async function invoice(amount: number): Promise<string> {
  const { bolt11, paymentHash } = await receiver.createInvoice({ amount: sats(amount), expires })
  tell({ what: 'invoice', hash: Bytes.toHex(paymentHash), bolt11 })
  return bolt11
}

async function pay(bolt11: string, paymentHash: Uint8Array): Promise<void> {
  const payment = await payer.pay({ bolt11, maxFee: sats(10) })
  const hash = Bytes.toHex(paymentHash)
  if (payment.state === 'paid') tell({ what: 'paid', hash, preimage: Bytes.toHex(payment.preimage) })
  else tell({ what: 'failed', hash })
}

async function buy(amount: number): Promise<void> {
  const { bolt11, paymentHash } = await receiver.createInvoice({ amount: sats(amount), expires })
  tell({ what: 'invoice', hash: Bytes.toHex(paymentHash), bolt11 })
  await pay(bolt11, paymentHash)
}

async function hold(amount: number, end: 'settle' | 'cancel'): Promise<void> {
  const preimage = Bytes.randomBytes(32)
  const paymentHash = sha256(preimage)
  const { bolt11 } = await receiver.createHoldInvoice({ amount: sats(amount), expires, paymentHash })
  tell({ what: 'hold', hash: Bytes.toHex(paymentHash), bolt11, preimage: Bytes.toHex(preimage) })
  const paying = pay(bolt11, paymentHash)
  while ((await receiver.lookupInvoice(paymentHash))?.state !== 'held') await new Promise(setImmediate)
  if (end === 'settle') await receiver.settleHold(preimage)
  else await receiver.cancelHold(paymentHash)
  await paying
}

async function follow(): Promise<void> {
  for await (const { paymentHash } of receiver.settlements({ signal: new AbortController().signal }))
    tell({ what: 'settled', hash: Bytes.toHex(paymentHash) })
}

void follow()
for (let round = 1; round <= 3; round++) {
  await buy(11 * round)
  await Promise.all([buy(20), buy(30), hold(40, 'settle'), buy(50), hold(60, 'cancel')])
  await invoice(70)
}
// The fault never struck.
process.exit(3)
