import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { TallyError } from 'tallystick/core'
import type { Request } from './client.ts'
import { readInbound, type Inbound } from './inbound.ts'
import { requestHead } from './outbound.ts'
import { createCallerOf } from './proxies.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

/** The slice of a request that is read. */
function request(rawHeaders: readonly string[], { method = 'POST', url = '/', minor = 1 } = {}): Request {
  return { method, url, httpVersionMinor: minor, rawHeaders } as unknown as Request
}

const read = (...rawHeaders: readonly string[]): Inbound => readInbound(request(['Host', 'a.example', ...rawHeaders]))

const upstream = {
  origin: 'http://up.example:3000',
  secure: false,
  host: 'up.example',
  port: 3000,
  authority: 'up.example:3000',
}
const headFor = (inbound: Inbound, client: string): string =>
  requestHead(inbound, upstream, {
    caller: createCallerOf([])({ rawHeaders: [], socket: { remoteAddress: client } }, inbound.host),
    target: '/a?b',
    waits: false,
    requestId: 'r1',
    upgrades: false,
  })

test('the three framings, and none', () => {
  assert.deepEqual([read().body, read().length], ['none', ''])
  assert.deepEqual([read('Content-Length', '0').body, read('Content-Length', '0').length], ['none', '0'])
  assert.deepEqual([read('content-length', '7').body, read('content-length', '7').length], ['length', '7'])
  assert.equal(read('Transfer-Encoding', 'Chunked').body, 'chunked')
  assert.match(
    headFor(read(), '1.2.3.4'),
    /^POST \/a\?b HTTP\/1\.1\r\nHost: up\.example:3000\r\nX-Request-Id: r1\r\nX-Forwarded-For/,
  )
  assert.match(headFor(read('Content-Length', '0'), '1.2.3.4'), /\r\nContent-Length: 0\r\n/)
  assert.match(headFor(read('Content-Length', '7'), '1.2.3.4'), /\r\nContent-Length: 7\r\n/)
  assert.match(headFor(read('Transfer-Encoding', 'Chunked'), '1.2.3.4'), /\r\nTransfer-Encoding: chunked\r\n/)
})

test('who asks, in every form of address', () => {
  const forwarded = (client: string): string => headFor(read(), client).split('\r\n').slice(3, -2).join(' | ')
  assert.equal(
    forwarded('1.2.3.4'),
    'X-Forwarded-For: 1.2.3.4 | X-Forwarded-Proto: http | X-Forwarded-Host: a.example | Forwarded: for=1.2.3.4;proto=http;host="a.example"',
  )
  assert.match(forwarded('::ffff:1.2.3.4'), /^X-Forwarded-For: 1\.2\.3\.4 .* Forwarded: for=1\.2\.3\.4;/)
  assert.match(forwarded('2001:db8::1'), /^X-Forwarded-For: 2001:db8::1 .* Forwarded: for="\[2001:db8::1\]";/)
  const old = readInbound(request([], { minor: 0 }))
  assert.equal(
    headFor(old, '1.2.3.4'),
    'POST /a?b HTTP/1.1\r\nHost: up.example:3000\r\nX-Request-Id: r1\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\nForwarded: for=1.2.3.4;proto=http\r\n\r\n',
  )
})

test('Connection takes away what it names of the client’s, before and after it', () => {
  const { headers } = read('A', '1', 'B', '2', 'Connection', 'a, keep-alive', 'C', '3', 'connection', 'C')
  assert.equal(headers, 'B: 2\r\n')
})

test('only credentials for us are taken out of Authorization', () => {
  const kept = (value: string): boolean => read('Authorization', value).headers !== ''
  for (const value of [
    'L402 a:b',
    'lsat a:b',
    'LSAT\ta:b',
    'Bearer x, L402 a:b',
    'Bearer x,L402 a:b',
    '  L402 a:b',
    'Payment x',
  ])
    assert.equal(kept(value), false, value)
  for (const value of ['Bearer L402', 'Basic eA==', 'L4020 x', 'XL402 x', 'Payments x'])
    assert.equal(kept(value), true, value)
})

test('hosts', () => {
  const accepted = ['a', 'a.example', 'a.example:80', '127.0.0.1:8402', '[::1]', '[::1]:80', 'a_b.example', '']
  const refused = ['a b', 'a,b', 'a/b', 'a@b', 'a:b', 'a?b', 'a#b', 'a\\b', '[::1', 'a:80:80', 'a%2e']
  for (const host of accepted) assert.equal(readInbound(request(['Host', host])).host, host)
  for (const host of refused)
    assert.throws(() => readInbound(request(['Host', host])), { code: 'REQUEST_AMBIGUOUS' }, host)
})

test('any headers: refused, or forwarded with nothing among them that is ours to say', () => {
  const names = [
    'Host',
    'host',
    'Content-Length',
    'CONTENT_LENGTH',
    'Transfer-Encoding',
    'Transfer_Encoding',
    'Connection',
    'Keep-Alive',
    'Upgrade',
    'TE',
    'Trailer',
    'Expect',
    'Authorization',
    'Macaroon',
    'Grpc-Metadata-Macaroon',
    'X-Forwarded-For',
    'x_forwarded_host',
    'Forwarded',
    'X-L402-Id',
    'X_L402_Id',
    'X-Real-IP',
    'X-Original-URL',
    'X-Rewrite-URL',
    'X-HTTP-Method-Override',
    'Proxy-Authorization',
    'X-Ok',
    'Cookie',
  ]
  const values = [
    'a.example',
    '3',
    '0',
    'chunked',
    'gzip',
    'close',
    'x-ok, cookie',
    'upgrade',
    'L402 a:b',
    'Bearer x',
    '1.2.3.4',
    '',
  ]
  const header = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...values))
  const ours =
    /^(?:host|content.length|transfer.encoding|connection|keep.alive|upgrade|te|trailer|expect|macaroon|grpc.metadata.macaroon|x.forwarded.*|forwarded|x.l402.*|x.real.ip|x.original.*|x.rewrite.*|x.http.method.*|proxy.*)$/i
  fc.assert(
    fc.property(
      fc.array(header, { maxLength: 8 }),
      fc.constantFrom('GET', 'POST', 'HEAD', 'TRACE'),
      fc.constantFrom(0, 1),
      (headers, method, minor) => {
        try {
          const inbound = readInbound(request(headers.flat(), { method, minor }))
          for (const line of inbound.headers.split('\r\n').slice(0, -1)) {
            const [name, value] = line.split(': ')
            assert.doesNotMatch(name!, ours)
            if (/^authorization$/i.test(name!)) assert.doesNotMatch(value!, /L402/)
          }
          const head = headFor(inbound, '1.2.3.4')
          assert.equal(head.match(/^host:/gim)?.length, 1)
          assert.ok((head.match(/^(?:content-length|transfer-encoding):/gim)?.length ?? 0) <= 1)
          assert.ok(head.endsWith('\r\n\r\n') && head.indexOf('\r\n\r\n') === head.length - 4)
        } catch (error) {
          if (!TallyError.is(error)) throw error
        }
      },
    ),
    { numRuns },
  )
})
