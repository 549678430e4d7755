import assert from 'node:assert/strict'
import { test } from 'node:test'
import { customerOf } from './customer.ts'

test('one client is an IPv4 address or an IPv6 /64, else one customer would be 2^64 of them', () => {
  assert.equal(customerOf('192.0.2.1'), '192.0.2.1')
  assert.equal(customerOf('::ffff:192.0.2.1'), '192.0.2.1')
  assert.equal(customerOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::')
  assert.equal(customerOf('2001:db8:1:2::1'), '2001:db8:1:2::')
  assert.equal(customerOf('2001:db8::1'), '2001:db8::')
  assert.equal(customerOf('fe80::1%eth0'), 'fe80::')
  assert.equal(customerOf('::1'), '::')
  assert.equal(customerOf('unknown'), 'unknown')
  assert.equal(customerOf('a customer'), 'a customer')
})
