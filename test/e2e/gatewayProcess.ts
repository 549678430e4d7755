/**
 * A gateway in a process of its own, started with `fork`: everything is free, in front of the origin given as argument.
 * Its first message is `{ port, rss }`; any message to it is answered with `{ peak }`, its largest resident set so far.
 */
import assert from 'node:assert/strict'
import { loadConfig } from '../../packages/tallyd/src/config.ts'
import { createGateway } from '../../packages/tallyd/src/gateway/server.ts'

const [origin] = process.argv.slice(2)
const text = `listen: 127.0.0.1:0
lightning: sim
services: { a: { upstream: "${origin}", routes: { GET /**: free, POST /**: free } } }
`
const { port } = await createGateway({
  config: loadConfig(text, 'tally.yaml'),
  gate: { admit: () => assert.fail('no route here has a price') },
}).listen()
const rss = process.memoryUsage.rss()
let peak = rss
setInterval(() => {
  peak = Math.max(peak, process.memoryUsage.rss())
}, 10)
process.on('message', () => process.send!({ peak }))
process.on('disconnect', () => process.exit())
process.send!({ port, rss })
