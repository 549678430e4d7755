import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorityOf } from './authority.ts'

const came = (localAddress: string, localPort: number) =>
  ({ socket: { localAddress, localPort } }) as Parameters<typeof authorityOf>[0]

test('a Host header counts only where it names us', () => {
  const cases: [address: string, port: number, host: string, origin: string | undefined, authority: string][] = [
    ['127.0.0.1', 8402, '127.0.0.1:8402', undefined, '127.0.0.1:8402'],
    ['127.0.0.1', 8402, 'LOCALHOST:8402', undefined, 'localhost:8402'],
    ['127.0.0.1', 80, 'localhost', undefined, 'localhost'],
    ['::ffff:127.0.0.1', 8402, '127.0.0.1:8402', undefined, '127.0.0.1:8402'],
    ['::1', 8402, '[::1]:8402', undefined, '[::1]:8402'],
    ['192.0.2.1', 8402, '192.0.2.1:8402', undefined, '192.0.2.1:8402'],
    ['192.0.2.1', 8402, 'localhost:8402', undefined, ''],
    ['127.0.0.1', 8402, 'evil.example:8402', undefined, ''],
    ['127.0.0.1', 8402, '127.0.0.1', undefined, ''],
    ['127.0.0.1', 8402, '', undefined, ''],
    ['10.0.0.1', 8402, 'api.example.com', 'https://api.example.com', 'api.example.com'],
    ['10.0.0.1', 8402, 'api.example.com:8443', 'https://api.example.com:8443', 'api.example.com:8443'],
    ['10.0.0.1', 8402, '10.0.0.1:8402', 'https://api.example.com', ''],
    ['10.0.0.1', 8402, '', 'https://api.example.com', ''],
  ]
  for (const [address, port, host, origin, authority] of cases)
    assert.equal(authorityOf(came(address, port), host, origin), authority, `${host} at ${address}:${port}`)
})
