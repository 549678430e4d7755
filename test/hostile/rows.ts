/**
 * What has been used to make two servers read one request differently, as bytes on the wire. requests.test.ts sends each row to
 * the gateway, matrix.test.ts sends it to the gateway and through nginx with Node's own server behind, and docs/hostile.md is
 * the table of it.
 */

export const HOST = 'Host: api.example.com\r\n'

export interface Row {
  readonly name: string
  readonly bytes: string
  /** Of the gateway's answer. */
  readonly status: number
  /** Some are caught by llhttp or by us, depending on the version of node: `REFUSED` stands for either. */
  readonly code?: string
}

const target = (path: string, code = 'PATH_AMBIGUOUS'): Row => ({
  name: `target ${path}`,
  bytes: `GET ${path} HTTP/1.1\r\n${HOST}\r\n`,
  status: 400,
  code,
})
const head = (name: string, lines: string, code = 'REQUEST_AMBIGUOUS', status = 400): Row => ({
  name,
  bytes: `POST /a HTTP/1.1\r\n${lines}\r\n`,
  status,
  code,
})

export const refused: readonly Row[] = [
  ...[
    '/a/../b',
    '/..',
    '/a/./b',
    '/a//b',
    '//evil.example/a',
    '/a\\b',
    '/a#b',
    '/a?q#b',
    '/a;b=c',
    '/%2e%2e/b',
    '/%2E/b',
    '/a%2fb',
    '/a%2Fb',
    '/a%5Cb',
    '/a%00',
    '/a%252e',
    '/a%zz',
    '/%C0%AF',
    '/a"b',
    '/%41',
  ].map((path) => target(path)),
  ...['http://api.example.com/a', 'http://evil.example/paid/x', 'HTTP://api.example.com/a', '*'].map((path) =>
    target(path, 'REQUEST_AMBIGUOUS'),
  ),
  head('two Host headers', 'Host: a.example\r\nHost: b.example\r\n'),
  head('two equal Host headers', `${HOST}${HOST}`),
  head('no Host header', ''),
  head('a Host with a path', 'Host: a.example/b\r\n'),
  head('a Host with a user', 'Host: a@b.example\r\n'),
  head('a Host with two names', 'Host: a.example, b.example\r\n'),
  head('both lengths', `${HOST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n`, 'REFUSED'),
  head('both lengths, the other way round', `${HOST}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n`, 'REFUSED'),
  head('two lengths', `${HOST}Content-Length: 3\r\nContent-Length: 4\r\n`, 'REFUSED'),
  head('two equal lengths', `${HOST}Content-Length: 3\r\nContent-Length: 3\r\n`, 'REFUSED'),
  head('a list of lengths', `${HOST}Content-Length: 3, 3\r\n`, 'REFUSED'),
  head('a signed length', `${HOST}Content-Length: +3\r\n`, 'REFUSED'),
  head('a negative length', `${HOST}Content-Length: -3\r\n`, 'REFUSED'),
  head('an unknown coding', `${HOST}Transfer-Encoding: xchunked\r\n`, 'REFUSED'),
  head('a coding before chunked', `${HOST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n`, 'REFUSED'),
  head('a coding behind chunked', `${HOST}Transfer-Encoding: chunked, identity\r\n`, 'REFUSED'),
  head('chunked twice', `${HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n`, 'REFUSED'),
  head('a blank before the colon', `${HOST}Transfer-Encoding : chunked\r\n`, 'REFUSED'),
  head('a folded header', `${HOST}A: b\r\n c\r\n`, 'REFUSED'),
  head('a header with NUL', `${HOST}A: b\0c\r\n`, 'REFUSED'),
  head('a bare CR in a header', `${HOST}A: b\rc\r\n`, 'REFUSED'),
  head('bare LF line ends', `${HOST.replace('\r', '')}A: b\n`, 'REFUSED'),
  head('a method override', `${HOST}X-HTTP-Method-Override: DELETE\r\n`),
  head('a method override, spelled for CGI', `${HOST}X_HTTP_Method_Override: DELETE\r\n`),
  head('too many headers', `${HOST}${'A: b\r\n'.repeat(300)}`, 'HEADERS_TOO_LARGE', 431),
  head('too long headers', `${HOST}A: ${'b'.repeat(40_000)}\r\n`, 'HEADERS_TOO_LARGE', 431),
  {
    name: 'chunked in HTTP/1.0',
    bytes: `POST /a HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    status: 400,
    code: 'REQUEST_AMBIGUOUS',
  },
  {
    name: 'GET with a body',
    bytes: `GET /a HTTP/1.1\r\n${HOST}Content-Length: 40\r\n\r\nGET /paid/x HTTP/1.1\r\nHost: internal\r\n\r\n..`,
    status: 400,
    code: 'REQUEST_AMBIGUOUS',
  },
  {
    name: 'GET with a chunked body',
    bytes: `GET /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`,
    status: 400,
    code: 'REQUEST_AMBIGUOUS',
  },
  { name: 'HEAD with a body', bytes: `HEAD /a HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\na`, status: 400 },
  { name: 'CONNECT', bytes: `CONNECT evil.example:443 HTTP/1.1\r\n${HOST}\r\n`, status: 501, code: 'METHOD_REFUSED' },
  { name: 'TRACE', bytes: `TRACE /a HTTP/1.1\r\n${HOST}\r\n`, status: 501, code: 'METHOD_REFUSED' },
  { name: 'an unknown method', bytes: `BREW /a HTTP/1.1\r\n${HOST}\r\n`, status: 400, code: 'REQUEST_MALFORMED' },
  { name: 'a method no route has', bytes: `PROPFIND /a HTTP/1.1\r\n${HOST}\r\n`, status: 404, code: 'ROUTE_UNKNOWN' },
  {
    name: 'HTTP/2 with prior knowledge',
    bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    status: 400,
    code: 'REQUEST_MALFORMED',
  },
  { name: 'TLS', bytes: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', status: 400, code: 'REQUEST_MALFORMED' },
  {
    name: 'an expectation that is not known',
    bytes: `POST /a HTTP/1.1\r\n${HOST}Expect: 200-ok\r\nContent-Length: 1\r\n\r\na`,
    status: 417,
  },
]

/** What comes out of a body: the head was good, so the upstream may have been asked, but it never has the end of it. */
const body = (name: string, chunks: string): Row => ({
  name,
  bytes: `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${chunks}`,
  status: 400,
})

export const SMUGGLED = `GET /paid/smuggled HTTP/1.1\r\n${HOST}\r\n`

export const brokenOff: readonly Row[] = [
  body('LF behind a chunk size', `1\na\r\n0\r\n\r\n${SMUGGLED}`),
  body('LF behind a chunk', `1\r\na\n0\r\n\r\n${SMUGGLED}`),
  body('a chunk that is longer than its size', `1\r\nabc\r\n0\r\n\r\n${SMUGGLED}`),
  body('a chunk size with 0x', `0x1\r\na\r\n0\r\n\r\n${SMUGGLED}`),
  body('a negative chunk size', `-1\r\na\r\n0\r\n\r\n${SMUGGLED}`),
  body('a chunk size beyond 64 bits', `1${'0'.repeat(16)}\r\na\r\n0\r\n\r\n${SMUGGLED}`),
  body('a chunk extension of 20 KB', `1;${'x'.repeat(20_000)}\r\na\r\n0\r\n\r\n${SMUGGLED}`),
  body('a bare CR in a chunk extension', `1;a\rb\r\na\r\n0\r\n\r\n${SMUGGLED}`),
  body('a folded trailer', `1\r\na\r\n0\r\nA: b\r\n c\r\n\r\n${SMUGGLED}`),
]

/** What nginx 1.22 refuses itself, or makes a request of one meaning out of before it passes it on. All else is refused by us. */
const refusedByNginx = new Set([
  'target /..',
  'target /%2e%2e/b',
  'target /a%00',
  'target /a%zz',
  'target *',
  'two Host headers',
  'two equal Host headers',
  'no Host header',
  'a Host with a path',
  'a Host with two names',
  'both lengths',
  'both lengths, the other way round',
  'two lengths',
  'two equal lengths',
  'a list of lengths',
  'a signed length',
  'a negative length',
  'an unknown coding',
  'a coding before chunked',
  'a coding behind chunked',
  'chunked twice',
  'a blank before the colon',
  'a folded header',
  'a header with NUL',
  'a bare CR in a header',
  'too long headers',
  'chunked in HTTP/1.0',
  'CONNECT',
  'TRACE',
  'HTTP/2 with prior knowledge',
  'TLS',
  'a chunk that is longer than its size',
  'a chunk size with 0x',
  'a negative chunk size',
  'a chunk size beyond 64 bits',
  'a bare CR in a chunk extension',
])
const tidiedByNginx = new Set([
  'target http://api.example.com/a',
  'target http://evil.example/paid/x',
  'target HTTP://api.example.com/a',
  'a Host with a user',
  'bare LF line ends',
  'a method override, spelled for CGI',
  'an expectation that is not known',
  'LF behind a chunk size',
  'LF behind a chunk',
  'a chunk extension of 20 KB',
  'a folded trailer',
])

export type Verdict = 'refused by nginx' | 'made one request by nginx' | 'refused by the gateway'

export const behindNginx = ({ name }: Row): Verdict =>
  refusedByNginx.has(name)
    ? 'refused by nginx'
    : tidiedByNginx.has(name)
      ? 'made one request by nginx'
      : 'refused by the gateway'
