/** Sells a balance, begins two metered calls on it and settles one, says so, and waits to be killed. argv: the database. */
import { Challenge, Credential, Key, sats } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { createGate, type Offer } from 'tallystick/server'
import { sqliteStore } from 'tallystick/storage/sqlite'

const lightning = sim({ balance: sats(1000) })
const gate = createGate({ key: Key.random(), store: sqliteStore(process.argv[2]!), lightning })
const offer: Offer = {
  service: 'llm',
  route: 'POST /chat',
  verbs: ['POST'],
  pattern: '/chat',
  price: sats(10),
  metered: { max: sats(30) },
  mode: { kind: 'budget', amount: sats(100) },
  lifetime: 3600,
}
const admit = async (authorization?: string) =>
  await gate.admit(
    {
      method: 'POST',
      target: '/chat',
      client: '10.0.0.1',
      header: (name) => (name === 'authorization' && authorization !== undefined ? [authorization] : []),
    },
    offer,
  )
const asked = await admit()
if (asked.kind !== 'challenge') throw new Error(asked.kind)
const { macaroon, invoice } = Challenge.parse([asked.answer.headers[0]![1]])[0]!
const payment = await lightning.pay({ bolt11: invoice, maxFee: sats(1) })
if (payment.state !== 'paid') throw new Error(payment.state)
const authorization = Credential.format({ scheme: 'L402', macaroon, preimage: payment.preimage })
const settled = await admit(authorization)
const unknown = await admit(authorization)
if (settled.kind !== 'granted' || unknown.kind !== 'granted') throw new Error('expected both to be granted')
await settled.settle!(sats(3))
process.stdout.write(`${unknown.grant.charges[0]!.meter}\n`)
setInterval(() => {}, 1000)
