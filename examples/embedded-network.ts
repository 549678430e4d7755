/** LDK's nodes in this process: one invoice paid, one hold invoice settled, one given back. The coins are worthless. */
import { Amount, Bytes, sats, sha256, type Msat } from 'tallystick/core'
import { openEmbedded } from 'tallystick-ldk'

await using network = await openEmbedded() // { dir: '.tally/ldk' } keeps it across restarts
const { receiver, payer } = network
const inTenMinutes = (): Date => new Date(Date.now() + 600_000)
const pay = (bolt11: string) => payer.pay({ bolt11, maxFee: sats(1) })

const { bolt11 } = await receiver.createInvoice({ amount: sats(2000), expires: inTenMinutes() })
const paid = await pay(bolt11)
if (paid.state === 'paid') console.log(`invoice: paid ${text(paid.amount)}, fee ${text(paid.fee)}`)

/** Money that arrives is held until `decide`. */
async function hold(decide: (preimage: Uint8Array, hash: Uint8Array) => Promise<void>): Promise<string> {
  const preimage = Bytes.randomBytes(32)
  const paymentHash = sha256(preimage)
  const invoice = await receiver.createHoldInvoice({ paymentHash, amount: sats(500), expires: inTenMinutes() })
  const paying = pay(invoice.bolt11)
  while ((await receiver.lookupInvoice(paymentHash))?.state !== 'held') await new Promise(setImmediate)
  await decide(preimage, paymentHash)
  const payment = await paying
  return payment.state === 'failed' ? `failed: ${payment.reason}` : payment.state
}
const before = await payer.balance()
console.log(`hold, settled: ${await hold((preimage) => receiver.settleHold(preimage))}`)
console.log(`hold, cancelled: ${await hold((_, hash) => receiver.cancelHold(hash))}`)
console.log(`moved by the two: ${text((before - (await payer.balance())) as Msat)}`)

function text(amount: Msat): string {
  return Amount.format(amount)
}
