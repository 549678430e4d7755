/**
 * mppx as a client, in a process of its own: it depends on a package whose `source` condition is TypeScript, which this
 * repository's tests would be given. Forked with a URL; asks its parent to pay, and reports what came back.
 */
import { Challenge, Credential, Method, Receipt } from 'mppx'
import { Mppx } from 'mppx/client'
import { z } from 'zod/mini'

const [, , url] = process.argv

const pay = (invoice) =>
  new Promise((resolve) => {
    process.once('message', resolve)
    process.send({ invoice })
  })

// mppx brings no method for Lightning: this is all it takes.
const lightning = Method.toClient(
  Method.from({
    name: 'lightning',
    intent: 'charge',
    schema: {
      credential: { payload: z.object({ preimage: z.string() }) },
      request: z.object({
        amount: z.string(),
        currency: z.string(),
        methodDetails: z.object({ invoice: z.string(), network: z.string(), paymentHash: z.string() }),
      }),
    },
  }),
  {
    createCredential: async ({ challenge }) =>
      Credential.serialize({
        challenge,
        payload: { preimage: await pay(challenge.request.methodDetails.invoice) },
      }),
  },
)

const unpaid = await fetch(url)
const [challenge] = Challenge.fromResponseList(unpaid)
const client = Mppx.create({ methods: [lightning], polyfill: false })
const response = await client.fetch(url)
process.send({
  challenge: Challenge.serialize(challenge),
  header: unpaid.headers.get('www-authenticate'),
  status: response.status,
  body: await response.text(),
  receipt: Receipt.deserialize(response.headers.get('payment-receipt')),
})
process.disconnect()
