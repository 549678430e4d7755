/** A node:http handler that costs 10 sat a call, and a buyer who does by hand what a paying client does: 402, pay, 200. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Challenge, Credential, Key, sats } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { paid } from 'tallystick/node'
import { createGate } from 'tallystick/server'
import { memoryStore } from 'tallystick/storage'

const network = sim() // play money; seller and buyer share this network
await using gate = createGate({ service: 'forecast', key: Key.random(), store: memoryStore(), lightning: network })

const handler = paid(gate, { price: '10 sat' }, (req, res: ServerResponse, grant) => {
  res.end(`Sunny. You paid ${grant.cost} msat for ${req.url}.`)
})
const server = createServer((req, res) => void handler(req, res))
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/oslo`

const asked = await fetch(url)
console.log(asked.status, asked.statusText)
const [challenge] = Challenge.parse([asked.headers.get('www-authenticate')!])
const { macaroon, invoice } = challenge!

const payment = await network.pay({ bolt11: invoice, maxFee: sats(1) })
if (payment.state !== 'paid') throw new Error(payment.state)
const authorization = Credential.format({ scheme: 'L402', macaroon, preimage: payment.preimage })

const served = await fetch(url, { headers: { authorization } })
console.log(served.status, await served.text())

const again = await fetch(url, { headers: { authorization } })
const { reason } = (await again.json()) as { reason: { code: string } }
console.log(again.status, reason.code) // one call was bought, and it is used up
server.close()
