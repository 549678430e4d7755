/**
 * nginx, Caddy and HAProxy read what `tally gateway snippet` writes for every kind of gate, TLS included, with their own
 * checks (`nginx -t`, `caddy validate`, `haproxy -c`). Skipped where one is not installed; TALLY_REQUIRE=nginx,caddy,haproxy
 * makes that a failure.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkProxy, proxies } from '../support/proxies.ts'
import { hostsOf, snippet, variantsFor } from './variants.ts'

const required = (process.env['TALLY_REQUIRE'] ?? '').split(',')

/** Of the directives that are written, one for each that is spelled wrong here. */
const misspelled: Readonly<Record<string, readonly [from: string, to: string]>> = {
  nginx: ['auth_request /', 'auth_requests /'],
  caddy: ['copy_headers', 'copy_header'],
  haproxy: ['lua.tally', 'lua.other'],
}

for (const proxy of proxies)
  test(`${proxy.name} takes every configuration, and none with a mistake`, (t) => {
    if (!proxy.installed) {
      assert.ok(!required.includes(proxy.name), `${proxy.name} is required: apt-get install ${proxy.name}`)
      t.skip(`${proxy.name} is not installed: apt-get install ${proxy.name}`)
      return
    }
    const names = variantsFor(proxy.name)
    assert.ok(names.length >= 8)
    for (const name of names) {
      const { ok, said } = checkProxy(proxy, { hosts: hostsOf(name), snippet: (file) => snippet(file, name) })
      assert.ok(ok, `${name}: ${said}`)
    }
    const [from, to] = misspelled[proxy.name]!
    const wrong = (file: string): string => snippet(file, 'TLS in').replaceAll(from, to)
    assert.notEqual(wrong(proxy.name), snippet(proxy.name, 'TLS in'))
    assert.equal(checkProxy(proxy, { hosts: hostsOf('TLS in'), snippet: wrong }).ok, false)
  })
