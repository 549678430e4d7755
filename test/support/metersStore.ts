/** A process that owns a store and spends from it for others, over a local socket. argv: the database, the socket. */
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { Bytes } from 'tallystick/core'
import type { Spend } from 'tallystick/storage'
import { sqliteStore } from 'tallystick/storage/sqlite'
import type { SpendMessage } from './metersAttempt.ts'

const [path, socket] = process.argv.slice(2) as [string, string]
const store = sqliteStore(path)

async function spend({ key, paymentHash, at, charges }: SpendMessage): Promise<Spend> {
  return await store.spend({
    key,
    paymentHash: Bytes.fromHex(paymentHash),
    at: new Date(at),
    charges: charges.map((charge) => ({
      ...charge,
      cost: BigInt(charge.cost),
      limit: BigInt(charge.limit),
      expires: new Date(charge.expires),
    })),
  })
}

const server = createServer((connection) => {
  // A worker may be killed.
  connection.on('error', () => {})
  const lines = createInterface({ input: connection }).on('error', () => {})
  lines.on('line', (line) => {
    const message = JSON.parse(line) as SpendMessage
    void spend(message).then(({ ok }) => connection.write(`${JSON.stringify({ key: message.key, ok })}\n`))
  })
})
server.listen(socket, () => process.send!('listening'))
process.once('disconnect', () => process.exit())
