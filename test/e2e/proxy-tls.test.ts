/** An upstream behind TLS is verified, by chain and by name, before it sees anything of the request. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ask, bodyOf, statusOf } from '../hostile/wire.ts'
import { selfSigned, type Certificate } from './certificate.ts'

interface Secure extends AsyncDisposable {
  readonly port: number
  /** Names clients asked for, by SNI; '' for none. */
  readonly names: readonly string[]
  requests: number
}

async function secureUpstream({ cert, key }: Certificate): Promise<Secure> {
  const names: string[] = []
  const server = https.createServer({ cert, key }, (req, res) => {
    upstream.requests++
    if (req.method === 'POST') req.pipe(res)
    else res.end(`${req.headers.host} ${req.httpVersion}`)
  })
  server.on('secureConnection', (socket) => names.push(socket.servername || ''))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const upstream: Secure = {
    port: (server.address() as AddressInfo).port,
    names,
    requests: 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return upstream
}

/** A gateway that trusts `ca` beside what the system trusts. Node reads that at start, hence the process of its own. */
async function gatewayFor(origin: string, ca: string | undefined): Promise<{ port: number } & AsyncDisposable> {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env
  const child = fork(join(import.meta.dirname, 'gatewayProcess.ts'), [origin], {
    execArgv: ['--conditions=source'],
    env: { ...env, ...(ca !== undefined && { NODE_EXTRA_CA_CERTS: ca }) },
  })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill()
      await once(child, 'exit')
    },
  }
}

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n'

test('TLS upstreams', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'tally-tls-'))
  t.after(() => rm(directory, { recursive: true }))
  const certificate = selfSigned(['localhost', '127.0.0.1'], new Date())
  const ca = join(directory, 'ca.pem')
  await writeFile(ca, certificate.cert)
  await using upstream = await secureUpstream(certificate)

  await t.test('by name, with SNI', async () => {
    await using gateway = await gatewayFor(`https://localhost:${upstream.port}`, ca)
    const answer = await ask(gateway.port, GET)
    assert.deepEqual([statusOf(answer), bodyOf(answer)], [200, `localhost:${upstream.port} 1.1`])
    assert.equal(statusOf(await ask(gateway.port, GET)), 200)
    assert.deepEqual(upstream.names, ['localhost'], 'the second request goes over the same connection')
  })

  await t.test('by address, without SNI', async () => {
    await using gateway = await gatewayFor(`https://127.0.0.1:${upstream.port}`, ca)
    assert.equal(statusOf(await ask(gateway.port, GET)), 200)
    assert.equal(upstream.names.at(-1), '')
  })

  await t.test('a body comes back as it went', async () => {
    await using gateway = await gatewayFor(`https://localhost:${upstream.port}`, ca)
    const sent = randomBytes(32 << 20)
    const response = await fetch(`http://127.0.0.1:${gateway.port}/`, { method: 'POST', body: sent })
    assert.ok(sent.equals(new Uint8Array(await response.arrayBuffer())))
  })

  await t.test('one that nobody vouches for', async () => {
    const before = upstream.requests
    await using gateway = await gatewayFor(`https://localhost:${upstream.port}`, undefined)
    const answer = await ask(gateway.port, GET)
    assert.equal(statusOf(answer), 502)
    assert.match(answer, /UPSTREAM_UNREACHABLE[^]*SELF_SIGNED/)
    assert.equal(upstream.requests, before)
  })

  await t.test('one that is somebody else', async () => {
    const other = selfSigned(['other.example'], new Date())
    const otherCa = join(directory, 'other.pem')
    await writeFile(otherCa, other.cert)
    await using impostor = await secureUpstream(other)
    await using gateway = await gatewayFor(`https://localhost:${impostor.port}`, otherCa)
    const answer = await ask(gateway.port, GET)
    assert.equal(statusOf(answer), 502)
    assert.match(answer, /ERR_TLS_CERT_ALTNAME_INVALID/)
    assert.equal(impostor.requests, 0)
  })

  await t.test('one that speaks no TLS', async () => {
    const plain = http.createServer((_, res) => res.end()).listen(0, '127.0.0.1')
    await once(plain, 'listening')
    await using gateway = await gatewayFor(`https://127.0.0.1:${(plain.address() as AddressInfo).port}`, ca)
    assert.equal(statusOf(await ask(gateway.port, GET)), 502)
    plain.close()
  })
})
