import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { sats, TallyError, type ErrorCode } from 'tallystick/core'
import type { Lightning } from 'tallystick/lightning'
import { sim, type SimLink } from 'tallystick/lightning/sim'
import { MAX_BODY, walletd } from 'tallystick/lightning/walletd'
import { lightningConformance } from 'tallystick/testing'
import { serveWallet, type WalletListen } from './socket.ts'

const dir = mkdtempSync(join(tmpdir(), 'tally-wallet-'))
after(() => rmSync(dir, { recursive: true }))
let sockets = 0
const freshSocket = (): string => join(dir, `${sockets++}.sock`)
const token = 'a token of the test'
const expires = new Date('2026-12-01T13:00:00Z')
const maxFee = sats(1)

function node(link: SimLink = {}): Lightning {
  return sim({ clock: () => new Date('2026-12-01T12:00:00Z'), link })
}

const is = (code: ErrorCode) => (error: unknown) => TallyError.is(error) && error.code === code

for (const [name, listen] of [
  ['a unix socket', { socket: freshSocket() }],
  ['loopback HTTP', { port: 0, token }],
] as [string, WalletListen][])
  lightningConformance(`walletd over ${name}`, async () => {
    let now = new Date('2026-12-01T12:00:00Z')
    const network = sim({ clock: () => now })
    const server = await serveWallet({ payer: network, listen })
    return {
      receiver: network,
      payer: walletd(server.address, { token }),
      now: () => now,
      advance: (milliseconds) => void (now = new Date(now.getTime() + milliseconds)),
      close: async () => server[Symbol.asyncDispose](),
    }
  })

test('the socket is open to its owner only, and gone after closing', async () => {
  const socket = freshSocket()
  const mask = process.umask()
  const server = await serveWallet({ payer: node(), listen: { socket } })
  assert.equal(statSync(socket).mode & 0o777, 0o600)
  assert.equal(process.umask(), mask)
  await server[Symbol.asyncDispose]()
  assert.throws(() => statSync(socket), { code: 'ENOENT' })
})

test('without the right token nothing is answered', async () => {
  await using server = await serveWallet({ payer: node(), listen: { port: 0, token } })
  for (const given of [undefined, '', 'a token of the tesT'])
    await assert.rejects(
      walletd(server.address, given === undefined ? {} : { token: given }).balance(),
      is('WALLET_DENIED'),
    )
})

test('nobody there: NODE_UNAVAILABLE, and nothing is pending', async () => {
  const socket = freshSocket()
  const network = node()
  const { bolt11, paymentHash } = await network.createInvoice({ amount: sats(1), expires })
  const wallet = walletd(`unix:${socket}`)
  await assert.rejects(wallet.pay({ bolt11, maxFee }), is('NODE_UNAVAILABLE'))
  await assert.rejects(wallet.lookupPayment(paymentHash), is('NODE_UNAVAILABLE'))
  await assert.rejects(wallet.balance(), is('NODE_UNAVAILABLE'))
})

test('a wallet that goes away while paying leaves the payment pending; it goes on without the caller', async () => {
  const arrival = Promise.withResolvers<void>()
  const network = node({ slow: arrival.promise })
  const listen = { socket: freshSocket() }
  const first = await serveWallet({ payer: network, listen })
  const { bolt11, paymentHash } = await network.createInvoice({ amount: sats(1), expires })
  const wallet = walletd(first.address)
  const outcome = wallet.pay({ bolt11, maxFee })
  while ((await network.lookupPayment(paymentHash)) === undefined) await new Promise(setImmediate)
  await first[Symbol.asyncDispose]()
  assert.deepEqual(await outcome, { state: 'pending' })
  await using _second = await serveWallet({ payer: network, listen })
  assert.deepEqual(await wallet.lookupPayment(paymentHash), { state: 'pending' })
  arrival.resolve()
  assert.equal((await wallet.pay({ bolt11, maxFee })).state, 'paid')
})

test('something else at the address is no wallet: questions are refused, and a payment sent there is not known to have failed', async () => {
  const stranger = createServer((_request, response) => void response.writeHead(404).end('<h1>Not here</h1>'))
  await new Promise<void>((resolve) => {
    stranger.listen(0, '127.0.0.1', resolve)
  })
  const wallet = walletd(`http://127.0.0.1:${(stranger.address() as AddressInfo).port}`)
  const { bolt11 } = await node().createInvoice({ amount: sats(1), expires })
  await assert.rejects(wallet.balance(), is('NODE_UNAVAILABLE'))
  assert.deepEqual(await wallet.pay({ bolt11, maxFee }), { state: 'pending' })
  stranger.close()
})

test('a node that is down behind the wallet is NODE_UNAVAILABLE for its callers too', async () => {
  const link: SimLink = {}
  const network = node(link)
  await using server = await serveWallet({ payer: network, listen: { socket: freshSocket() } })
  const { bolt11 } = await network.createInvoice({ amount: sats(1), expires })
  link.down = true
  await assert.rejects(walletd(server.address).pay({ bolt11, maxFee }), is('NODE_UNAVAILABLE'))
})

test('a socket in use is left alone, one left behind by a crash is taken over', async () => {
  const socket = freshSocket()
  const first = await serveWallet({ payer: node(), listen: { socket } })
  await assert.rejects(serveWallet({ payer: node(), listen: { socket } }), is('PORT_TAKEN'))
  await walletd(first.address).balance()
  await first[Symbol.asyncDispose]()

  // A process that is killed does not unlink its socket.
  const { spawnSync } = await import('node:child_process')
  const script = `require('node:net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['-e', script])
  assert.ok(statSync(socket).isSocket())
  await using second = await serveWallet({ payer: node(), listen: { socket } })
  await walletd(second.address).balance()
})

test('a file that is no socket is not removed', async () => {
  await assert.rejects(serveWallet({ payer: node(), listen: { socket: dir } }), is('PORT_TAKEN'))
  await assert.rejects(
    serveWallet({ payer: node(), listen: { socket: join(dir, 'missing', 'wallet.sock') } }),
    is('FILE_UNAVAILABLE'),
  )
  assert.ok(statSync(dir).isDirectory())
})

test('bad questions are refused by name and nothing is paid', async () => {
  const network = node()
  await using server = await serveWallet({ payer: network, listen: { port: 0, token } })
  const before = await network.balance()
  const ask = async (method: string, path: string, body?: string): Promise<string> => {
    const headers = { authorization: `Bearer ${token}` }
    const response = await fetch(server.address + path, { method, headers, ...(body !== undefined && { body }) })
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    const problem = (await response.json()) as { code: string; fix: string }
    assert.ok(problem.fix)
    return `${response.status} ${problem.code}`
  }
  assert.equal(await ask('POST', '/pay', '{'), '400 ENCODING_INVALID')
  assert.equal(await ask('POST', '/pay', '[]'), '400 ENCODING_INVALID')
  assert.equal(await ask('POST', '/pay', '{"bolt11":"lnbcrt1","maxFeeMsat":1}'), '400 ENCODING_INVALID')
  assert.equal(await ask('POST', '/pay', '{"bolt11":"lnbcrt1","maxFeeMsat":"1"}'), '502 INVOICE_MALFORMED')
  assert.equal(await ask('POST', '/pay', 'x'.repeat(MAX_BODY + 1)), '400 ENCODING_INVALID')
  assert.equal(await ask('GET', '/payments/00'), '400 ENCODING_INVALID')
  assert.equal(await ask('DELETE', '/balance'), '400 ENCODING_INVALID')
  assert.equal(await network.balance(), before)
})

test('an address is a socket or loopback', () => {
  for (const bad of [
    'wallet.sock',
    'unix:wallet.sock',
    'https://127.0.0.1:1',
    'http://example.com:80',
    'http://10.0.0.1:1',
  ])
    assert.throws(() => walletd(bad), is('USAGE'), bad)
})
