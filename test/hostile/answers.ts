/** What an upstream may answer that no server should, as bytes on the wire; upstreams.test.ts says what becomes of each. */

export interface BadAnswer {
  readonly name: string
  readonly bytes: string
  /** Of the request. */
  readonly method?: string
}

const OK = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`
const answer = (name: string, bytes: string): BadAnswer => ({ name, bytes })

/** Nothing of them has gone to the client when it shows: 502, and the charge is given back. */
export const invalid: readonly BadAnswer[] = [
  answer('not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'),
  answer('HTTP/0.9', '<html>\r\n\r\n'),
  answer('HTTP/2', 'HTTP/2 200\r\n\r\n'),
  answer('bare line ends', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'),
  answer('both lengths', `${OK}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
  answer('two lengths', `${OK}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd`),
  answer('a list of lengths', `${OK}Content-Length: 4, 4\r\n\r\nabcd`),
  answer('a signed length', `${OK}Content-Length: +4\r\n\r\nabcd`),
  answer('a length beyond 2^53', `${OK}Content-Length: 99999999999999999999\r\n\r\n`),
  answer('a folded header', `${OK}A: b\r\n c\r\n\r\n`),
  answer('a blank before the colon', `${OK}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`),
  answer('a header without a colon', `${OK}A\r\n\r\n`),
  answer('a split response', `${OK}A: b\rSet-Cookie: evil=1\r\n\r\n`),
  answer('NUL in a header', `${OK}A: b\0\r\n\r\n`),
  answer('NUL in the reason', 'HTTP/1.1 200 O\0K\r\n\r\n'),
  answer('a coding that is not known', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`),
  answer(
    'two Transfer-Encoding headers',
    `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ),
  answer('chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
  answer('a switch of protocols that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'),
  answer('interim responses without end', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(100)),
  answer('headers without end', `${OK}${'A: b\r\n'.repeat(10_000)}`),
  answer('one header without end', `${OK}A: ${'b'.repeat(100_000)}`),
  answer('more than 256 headers', `${OK}${'A: b\r\n'.repeat(257)}\r\n`),
  answer('half a head', `${OK}Content-Length: 4\r\n`),
]

/** The client has a part when it shows: its connection is cut, never ended, and the charge is given back. */
export const broken: readonly BadAnswer[] = [
  answer('a body that ends before its length', `${OK}Content-Length: 10\r\n\r\nhello`),
  answer('a chunk that breaks off', `${CHUNKED}a\r\nhello`),
  answer('an end between chunks', `${CHUNKED}5\r\nhello\r\n`),
  answer('an end before the last line', `${CHUNKED}5\r\nhello\r\n0\r\n`),
  answer('a chunk size that is no number', `${CHUNKED}5\r\nhello\r\nzz\r\n`),
  answer('a negative chunk size', `${CHUNKED}5\r\nhello\r\n-1\r\n`),
  answer('a chunk size with 0x', `${CHUNKED}5\r\nhello\r\n0x1\r\na\r\n0\r\n\r\n`),
  answer('a huge chunk size', `${CHUNKED}5\r\nhello\r\nffffffffffffffff\r\na`),
  answer('a chunk that is longer than its size', `${CHUNKED}5\r\nhello!!\r\n0\r\n\r\n`),
  answer('LF behind a chunk size', `${CHUNKED}5\r\nhello\r\n1\na\r\n0\r\n\r\n`),
  answer('LF behind a chunk', `${CHUNKED}5\r\nhello\n0\r\n\r\n`),
  answer('a chunk extension without end', `${CHUNKED}5\r\nhello\r\n1;${'x'.repeat(100_000)}`),
  answer('a control character in a chunk extension', `${CHUNKED}5\r\nhello\r\n1;\x01\r\na\r\n0\r\n\r\n`),
  answer('trailers without end', `${CHUNKED}5\r\nhello\r\n0\r\n${'A: b\r\n'.repeat(10_000)}`),
  answer('NUL in a trailer', `${CHUNKED}5\r\nhello\r\n0\r\nA: \0\r\n\r\n`),
  answer('a folded trailer', `${CHUNKED}5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n`),
]

/** One good response and more behind it, which could be taken for the next one: passed on, and its connection is cut. */
export const trailing: readonly BadAnswer[] = [
  answer('a second response', `${OK}Content-Length: 2\r\n\r\nok${OK}Content-Length: 4\r\n\r\nevil`),
  answer('a body behind an empty one', `${OK}Content-Length: 0\r\n\r\nevil`),
  answer('bytes behind the last chunk', `${CHUNKED}2\r\nok\r\n0\r\n\r\nevil`),
  answer('204 with a body', 'HTTP/1.1 204 No Content\r\n\r\nevil'),
  answer('204 with a length and a body', 'HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil'),
  answer('304 with a body', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil'),
  { name: 'a body for HEAD', bytes: `${OK}Content-Length: 4\r\n\r\nevil`, method: 'HEAD' },
]
