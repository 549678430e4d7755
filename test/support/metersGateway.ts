/** A process that checks tokens and takes their charges in a store of its own, on a database that others use, too. */
import { Bytes } from 'tallystick/core'
import { postgresStore } from 'tallystick/storage/postgres'
import { AT_ONCE, attempt, say, type Work } from './metersAttempt.ts'
import { poolOf } from './postgres.ts'

async function run(work: Work): Promise<void> {
  await using pool = poolOf(work.socket)
  await using store = await postgresStore(pool)
  let made = 0
  async function lane(): Promise<void> {
    while (made < work.tries) {
      const { token, message } = attempt(work, made++)
      const { ok } = await store.spend({
        key: message.key,
        paymentHash: Bytes.fromHex(message.paymentHash),
        at: new Date(message.at),
        charges: message.charges.map((charge) => ({
          ...charge,
          cost: BigInt(charge.cost),
          limit: BigInt(charge.limit),
          expires: new Date(charge.expires),
        })),
      })
      say({ type: 'answer', token, ok })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  say({ type: 'done' })
}

process.once('message', (work: Work) => void run(work).then(() => process.disconnect!()))
