/** A token of five calls is narrowed offline to two calls and one path, and handed on. The server charges both meters. */
import { Capability, Caveat, Challenge, Credential, Key, Macaroon, sats } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { createGate, protect } from 'tallystick/server'
import { memoryStore } from 'tallystick/storage'

const network = sim()
await using gate = createGate({ service: 'forecast', key: Key.random(), store: memoryStore(), lightning: network })
const offer = { price: '1 sat', uses: 5, path: '/forecast/*' }
const server = protect(gate, offer, () => new Response('Sunny.'))

const asked = await server(new Request('https://api.example/forecast/oslo'))
const { macaroon, invoice } = Challenge.parse([asked.headers.get('www-authenticate')!])[0]!
const payment = await network.pay({ bolt11: invoice, maxFee: sats(1) })
if (payment.state !== 'paid') throw new Error(payment.state)
const { preimage } = payment

// From here on no key and no network: narrowing is a hash over the token in hand.
const mine = Macaroon.fromBase64(macaroon)
const theirs = Capability.attenuate(mine, [Caveat.link('intern'), Caveat.path('/forecast/oslo'), Caveat.uses(2)])

async function call(who: string, token: Macaroon.Macaroon, path: string): Promise<void> {
  const authorization = Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(token), preimage })
  const response = await server(new Request(`https://api.example${path}`, { headers: { authorization } }))
  const text = response.status === 200 ? await response.text() : why((await response.json()) as Problem)
  console.log(`${who} ${path}: ${response.status} ${text}`)
}
type Problem = { code?: string; detail: string; reason?: { code: string; detail: string } }
const why = ({ code, detail, reason }: Problem): string => `${reason?.code ?? code}: ${reason?.detail ?? detail}`

await call('intern', theirs, '/forecast/rome')
for (let i = 0; i < 3; i++) await call('intern', theirs, '/forecast/oslo')
for (let i = 0; i < 4; i++) await call('I', mine, '/forecast/rome')
