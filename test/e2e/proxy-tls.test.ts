/** An upstream behind TLS is verified, by chain and by name, before it sees anything of the request. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { TallyError } from 'tallystick/core'
import { ask, bodyOf, rawServer, rig, statusOf } from '../hostile/wire.ts'
import { selfSigned, type Certificate } from './certificate.ts'

interface Secure extends AsyncDisposable {
  readonly port: number
  /** Names clients asked for, by SNI; '' for none. */
  readonly names: readonly string[]
  requests: number
}

async function secureUpstream({ cert, key }: Certificate, more: https.ServerOptions = {}): Promise<Secure> {
  const names: string[] = []
  const server = https.createServer({ cert, key, ...more }, (req, res) => {
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

/** A gateway with an environment of its own: Node reads what it trusts at start, hence the process. */
async function gatewayFor(origin: string, more: NodeJS.ProcessEnv): Promise<{ port: number } & AsyncDisposable> {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env
  const child = fork(join(import.meta.dirname, 'gatewayProcess.ts'), [origin], {
    execArgv: ['--conditions=source'],
    env: { ...env, ...more },
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
const PAID = 'GET /paid/x HTTP/1.1\r\nHost: a.example\r\nAuthorization: L402 good:1\r\n\r\n'

test('TLS upstreams', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'tally-tls-'))
  t.after(() => rm(directory, { recursive: true }))
  const certificate = selfSigned(['localhost', '127.0.0.1'], new Date())
  const ca = join(directory, 'ca.pem')
  await writeFile(ca, certificate.cert)
  await using upstream = await secureUpstream(certificate)

  await t.test('by name, with SNI', async () => {
    await using gateway = await gatewayFor(`https://localhost:${upstream.port}`, { NODE_EXTRA_CA_CERTS: ca })
    const answer = await ask(gateway.port, GET)
    assert.deepEqual([statusOf(answer), bodyOf(answer)], [200, `localhost:${upstream.port} 1.1`])
    assert.equal(statusOf(await ask(gateway.port, GET)), 200)
    assert.deepEqual(upstream.names, ['localhost'], 'the second request goes over the same connection')
  })

  await t.test('by address, without SNI', async () => {
    await using gateway = await gatewayFor(`https://127.0.0.1:${upstream.port}`, { NODE_EXTRA_CA_CERTS: ca })
    assert.equal(statusOf(await ask(gateway.port, GET)), 200)
    assert.equal(upstream.names.at(-1), '')
  })

  await t.test('a body comes back as it went', async () => {
    await using gateway = await gatewayFor(`https://localhost:${upstream.port}`, { NODE_EXTRA_CA_CERTS: ca })
    const sent = randomBytes(32 << 20)
    const response = await fetch(`http://127.0.0.1:${gateway.port}/`, { method: 'POST', body: sent })
    assert.ok(sent.equals(new Uint8Array(await response.arrayBuffer())))
  })

  await t.test('nothing in the environment turns it off', async () => {
    const before = upstream.requests
    await using gateway = await gatewayFor(`https://localhost:${upstream.port}`, { NODE_TLS_REJECT_UNAUTHORIZED: '0' })
    const answer = await ask(gateway.port, GET)
    assert.deepEqual([statusOf(answer), upstream.requests], [502, before])
  })

  /** What a client is told, and what the operator reads, for an upstream with this certificate. */
  const refusal = async (certificate: Certificate, tls: string): Promise<{ answer: string; cause: string }> => {
    await using served = await secureUpstream(certificate)
    await using gateway = await rig(0, { origin: `https://localhost:${served.port}`, service: tls })
    const answer = await ask(gateway.port, PAID)
    assert.equal(statusOf(answer), 502, answer)
    assert.equal(served.requests, 0)
    assert.equal(gateway.gate.granted - gateway.gate.released, 0)
    const { code, cause = '' } = await gateway.entry(0)
    assert.equal(code, 'UPSTREAM_UNREACHABLE')
    return { answer, cause }
  }

  const DAY = 86_400_000
  const table: [name: string, certificate: Certificate, trusted: boolean, cause: RegExp][] = [
    ['one that nobody vouches for', certificate, false, /nobody we trust vouches .*tls\.ca.*SELF_SIGNED/],
    [
      'one that is somebody else',
      selfSigned(['other.example'], new Date()),
      true,
      /another name .*tls\.server_name.*ERR_TLS_CERT_ALTNAME_INVALID/,
    ],
    ['one that has expired', selfSigned(['localhost'], new Date(Date.now() - 2 * DAY)), true, /CERT_HAS_EXPIRED/],
    ['one that is not valid yet', selfSigned(['localhost'], new Date(Date.now() + DAY)), true, /CERT_NOT_YET_VALID/],
  ]
  for (const [name, certificate, trusted, expected] of table)
    await t.test(`${name}: the log says so, clients do not hear it`, async () => {
      const path = join(directory, 'trusted.pem')
      await writeFile(path, certificate.cert)
      const { answer, cause } = await refusal(certificate, trusted ? `    tls: { ca: ${path} }\n` : '')
      assert.match(cause, expected)
      assert.ok(cause.startsWith('https://localhost:'))
      assert.doesNotMatch(answer, /certificate|CERT|localhost|SELF/)
    })

  await t.test('a CA of its own stands in place of those of the system', async () => {
    await using gateway = await rig(0, {
      origin: `https://localhost:${upstream.port}`,
      service: `    tls: { ca: ${ca} }\n`,
    })
    assert.equal(statusOf(await ask(gateway.port, GET)), 200)
    const other = join(directory, 'other.pem')
    await writeFile(other, selfSigned(['localhost'], new Date()).cert)
    const { cause } = await refusal(certificate, `    tls: { ca: ${other} }\n`)
    assert.match(cause, /nobody we trust/)
  })

  await t.test('a name of its own, for SNI and for the check', async () => {
    const internal = selfSigned(['api.internal'], new Date())
    const path = join(directory, 'internal.pem')
    await writeFile(path, internal.cert)
    await using served = await secureUpstream(internal)
    const service = `    tls: { ca: ${path}, server_name: api.internal }\n`
    await using gateway = await rig(0, { origin: `https://127.0.0.1:${served.port}`, service })
    const answer = await ask(gateway.port, GET)
    assert.deepEqual([statusOf(answer), bodyOf(answer)], [200, `127.0.0.1:${served.port} 1.1`])
    assert.deepEqual(served.names, ['api.internal'])
  })

  await t.test('an upstream that wants to know who we are', async () => {
    const ours = selfSigned(['gateway.internal'], new Date())
    const [cert, key] = [join(directory, 'ours.pem'), join(directory, 'ours.key')]
    await Promise.all([writeFile(cert, ours.cert), writeFile(key, ours.key)])
    await using served = await secureUpstream(certificate, { ca: ours.cert, requestCert: true })
    const origin = `https://localhost:${served.port}`
    await using known = await rig(0, { origin, service: `    tls: { ca: ${ca}, cert: ${cert}, key: ${key} }\n` })
    assert.equal(statusOf(await ask(known.port, GET)), 200)
    await using unknown = await rig(0, { origin, service: `    tls: { ca: ${ca} }\n` })
    assert.equal(statusOf(await ask(unknown.port, GET)), 502)
    assert.match((await unknown.entry(0)).cause ?? '', /wants a certificate from us/)
    assert.equal(served.requests, 1)
  })

  await t.test('files that are missing or hold something else are named at the start', async () => {
    const origin = `https://localhost:${upstream.port}`
    const empty = join(directory, 'empty.pem')
    await writeFile(empty, 'a secret, not PEM')
    for (const [service, wrong] of [
      [`    tls: { ca: ${directory}/gone.pem }\n`, /gone\.pem: ENOENT/],
      [`    tls: { ca: ${empty} }\n`, /expected PEM in .*empty\.pem/],
      [`    tls: { cert: ${ca}, key: ${ca} }\n`, /expected PEM in .*ca\.pem/],
    ] as const)
      await assert.rejects(rig(0, { origin, service }), (error: Error) => {
        assert.doesNotMatch(error.message, /a secret/)
        return TallyError.is(error) && error.code === 'CONFIG_INVALID' && wrong.test(error.message)
      })
  })

  await t.test('one that speaks no TLS', async () => {
    await using plain = await rawServer(({ socket }) => {
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'))
    })
    const origin = `https://127.0.0.1:${plain.port}`
    await using gateway = await rig(0, { origin, service: `    tls: { ca: ${ca} }\n` })
    assert.equal(statusOf(await ask(gateway.port, GET)), 502)
    assert.match((await gateway.entry(0)).cause ?? '', /does not speak TLS/)
  })
})
