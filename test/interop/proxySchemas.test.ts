/**
 * Envoy and Traefik are not run here, so what is written for them is read by code of theirs: go-control-plane's types with
 * their rules, and the decoder of Traefik's file provider. Both refuse what they do not know (test/support/proxyPeers.ts says
 * where this is skipped).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { snippet, variantsFor } from '../proxies/variants.ts'
import { proxyPeers } from '../support/proxyPeers.ts'

/** [what is written, what it becomes, what is said of that] */
const mistakes: Readonly<Record<'envoy' | 'traefik', readonly (readonly [string, string, RegExp])[]>> = {
  envoy: [
    ['connect_timeout:', 'connect_timeouts:', /unknown field "connect_timeouts"/],
    ['failure_mode_allow:', 'failure_mode:', /unknown field "failure_mode"/],
    ['check_settings:', 'settings:', /unknown field "settings"/],
    ['stat_prefix: tally', 'stat_prefix: ""', /StatPrefix: value length must be at least 1/],
    ['code: ServiceUnavailable', 'code: Unavailable', /invalid value for enum field code/],
    ['timeout: 5s', 'timeout: 5', /unexpected token 5/],
    ['ext_authz.v3.ExtAuthz\n', 'ext_authz.v3.Authz\n', /unable to resolve/],
    ['port_value: 443', 'port_value: 70000', /PortValue: value must be less than or equal to 65535/],
    ['prefix: /\n', 'regex: /\n', /unknown field "regex"/],
  ],
  traefik: [
    ['trustForwardHeader:', 'trustForwardHeaders:', /field not found, node: trustForwardHeaders/],
    ['authResponseHeaders:', 'responseHeaders:', /field not found, node: responseHeaders/],
    ['customRequestHeaders:', 'requestHeaders:', /field not found, node: requestHeaders/],
    ['service: tally-gate-0', 'service: other', /no service other/],
    ['- l402-after', '- after', /no middleware after/],
    ['url: http', 'address: http', /field not found, node: address/],
  ],
}
const broken = { envoy: 'gRPC: TLS in', traefik: 'TLS in' } as const

test('Envoy and Traefik know all of what is written for them, and would say so if not', async (t) => {
  const peers = await proxyPeers(t)
  if (!peers) return
  for (const proxy of ['envoy', 'traefik'] as const) {
    const names = variantsFor(proxy)
    assert.ok(names.length >= 8, proxy)
    for (const name of names) assert.equal(peers.judge(proxy, snippet(proxy, name)), undefined, `${proxy}, ${name}`)
    for (const [from, to, said] of mistakes[proxy]) {
      const text = snippet(proxy, broken[proxy])
      assert.ok(text.includes(from), from)
      assert.match(peers.judge(proxy, text.replaceAll(from, to)) ?? 'nothing', said, to)
    }
  }
})
