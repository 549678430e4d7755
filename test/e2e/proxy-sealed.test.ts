/** Large bodies of sealed requests: let through piece by piece, and not to the end unless they are what was sealed. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { rig } from '../hostile/wire.ts'

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

/** Answers with the hash of what came, and notes how much of it that was. */
async function hashing() {
  const seen: number[] = []
  const server = http.createServer((req, res) => {
    const hash = createHash('sha256')
    const nth = seen.push(0) - 1
    req.on('data', (chunk: Buffer) => {
      hash.update(chunk)
      seen[nth]! += chunk.length
    })
    req.once('end', () => res.end(hash.digest('hex')))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

test('a large sealed body arrives as it was sent, and one that was changed never whole', async () => {
  const body = randomBytes(8 << 20)
  await using upstream = await hashing()
  await using place = await rig(upstream.port)
  place.gate.body = sha256(body)
  const post = async (sent: Buffer, headers: http.OutgoingHttpHeaders) => {
    const sending = http.request({
      port: place.port,
      method: 'POST',
      path: '/paid/x',
      headers: { authorization: 'L402 good:1', ...headers },
    })
    sending.on('error', () => {})
    sending.end(sent)
    const [response] = (await once(sending, 'response')) as [http.IncomingMessage]
    return { status: response.statusCode, text: Buffer.concat(await response.toArray()).toString() }
  }
  const changed = Buffer.from(body)
  changed[changed.length - 1]! ^= 1
  for (const headers of [{ 'content-length': body.length }, { 'transfer-encoding': 'chunked' }]) {
    assert.deepEqual(await post(body, headers), { status: 200, text: sha256(body).toString('hex') })
    const { status, text } = await post(changed, headers)
    assert.deepEqual([status, (JSON.parse(text) as { code: string }).code], [400, 'BODY_MISMATCH'])
  }
  assert.deepEqual(
    upstream.seen.map((length) => length === body.length),
    [true, false, true, false],
  )
  // The upstream had most of it, and whoever sent another body than it sealed is the reason.
  assert.equal(place.gate.released, 0)
})
