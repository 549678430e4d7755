import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callOf } from './node.ts'

const from = (remoteAddress: string | undefined): string =>
  callOf({ method: 'GET', url: '/', rawHeaders: [], socket: { remoteAddress } }).client

test('one client is an IPv4 address or an IPv6 /64, else one customer would be 2^64 of them', () => {
  assert.equal(from('192.0.2.1'), '192.0.2.1')
  assert.equal(from('::ffff:192.0.2.1'), '::ffff:192.0.2.1')
  assert.equal(from('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2')
  assert.equal(from('2001:db8:1:2::1'), '2001:db8:1:2')
  assert.equal(from('2001:db8::1'), '2001:db8:0:0')
  assert.equal(from('fe80::1%eth0'), 'fe80:0:0:0')
  assert.equal(from('::1'), '0:0:0:0')
  assert.equal(from(undefined), 'unknown')
})
