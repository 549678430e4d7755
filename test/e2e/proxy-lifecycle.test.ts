/** How the gateway begins and ends: what is under way is finished, then everything is cut. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../packages/tallyd/src/config.ts'
import { createGateway } from '../../packages/tallyd/src/gateway/server.ts'
import { dial, isComplete, rawServer, rig } from '../hostile/wire.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n'

const configOf = (port: number) =>
  loadConfig(
    `listen: 127.0.0.1:${port}\nlightning: sim\nservices: { a: { upstream: "http://127.0.0.1:1", routes: { GET /: 1 sat } } }`,
    't',
  )

test('closing finishes what is under way, takes nothing new, and says so to who is connected', async () => {
  await using upstream = await rawServer()
  await using gateway = await rig(upstream.port)
  using idle = dial(gateway.port)
  using busy = dial(gateway.port)
  busy.send(GET)
  const served = await upstream.connection(0)
  await served.until((text) => text.includes('\r\n\r\n'))
  const closed = gateway.gateway.close()
  assert.equal(gateway.gateway.close(), closed, 'a second call waits for the first')
  await idle.end()
  const late = dial(gateway.port)
  assert.equal(await late.end(), '')
  served.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  const answer = await busy.end()
  assert.match(answer, /^HTTP\/1\.1 200 OK[^]*Connection: close[^]*ok$/i)
  await closed
  await served.end()
})

test('what does not finish in time is cut on both sides', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.once('data', () => connection.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello'))
  })
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(GET)
  await client.until((text) => text.endsWith('hello'))
  await gateway.gateway.close({ drainMs: 20 })
  assert.ok((await client.end()).endsWith('hello'))
  await (await upstream.connection(0)).end()
  assert.ok((await gateway.entry(0)).aborted)
})

test('a second call in a hurry cuts what the first would have waited for', async () => {
  await using upstream = await rawServer()
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(GET)
  await (await upstream.connection(0)).until((text) => text.includes('\r\n\r\n'))
  const closed = gateway.gateway.close()
  await gateway.gateway.close({ drainMs: 0 })
  await closed
  assert.equal(await client.end(), '')
})

test('idle connections to the upstream end with the gateway', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.on('data', () => connection.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
  })
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(GET)
  await client.until(isComplete)
  await gateway.gateway.close()
  await (await upstream.connection(0)).end()
  await client.end()
})

test('a port that is taken is named', async () => {
  await using other = await rawServer()
  await using gateway = createGateway({
    config: configOf(other.port),
    gate: { admit: () => assert.fail() },
  })
  await assert.rejects(gateway.listen(), {
    code: 'PORT_TAKEN',
    message: new RegExp(`127.0.0.1:${other.port}: EADDRINUSE`),
  })
})
