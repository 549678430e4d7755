/** An agent with 30 sat to spend: it buys while the budget lasts, uses again what it bought, and is stopped by its own cap. */
import { Amount, Key, TallyError } from 'tallystick/core'
import { payingFetch, paymentOf } from 'tallystick/client'
import { sim } from 'tallystick/lightning/sim'
import { createGate, protect } from 'tallystick/server'
import { memoryJar, memoryStore } from 'tallystick/storage'

const network = sim()
await using gate = createGate({ service: 'words', key: Key.random(), store: memoryStore(), lightning: network })
const pairs = protect(gate, { price: '6 sat', uses: 2 }, () => new Response('two calls for 12 sat'))

const jar = memoryJar() // sqliteJar('agent.db') keeps what was bought across restarts
const buy = payingFetch({
  wallet: network,
  jar,
  budget: { perRequest: '20 sat', total: '30 sat', every: 'day' },
  maxFee: '1 sat',
  fetch: (url, init) => pairs(new Request(url, init)), // no socket needed; leave it out for the real fetch
})

for (let call = 1; call <= 5; call++) {
  try {
    const response = await buy('https://words.example/pairs')
    const { amount, reused } = paymentOf(response)!
    console.log(`call ${call}: ${response.status}, ${reused ? 'already bought' : `paid ${Amount.format(amount)}`}`)
  } catch (error) {
    if (!TallyError.is(error)) throw error
    console.log(`call ${call}: ${error.code}: ${error.message}`)
  }
}
console.log(`spent ${Amount.format(await jar.spent({ since: new Date(0) }))}`)
