import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Network } from 'tallystick/core'
import { loadConfig } from '../config.ts'

const file = (text: string): string => `lightning: sim\n${text}`

function mistakesOf(text: string): string[] {
  try {
    loadConfig(file(text), 'tally.yaml')
    return []
  } catch (error) {
    return (error as Error).message.split('\n')
  }
}

test('a service without upstreams is a gate, and has to know its name', () => {
  const gate = 'services:\n  home:\n    routes: { GET /x: free }\n'
  assert.match(mistakesOf(gate).join(), /a gate without `upstream` needs an `origin`/)
  const named = loadConfig(file(`origin: https://a.example\n${gate}`), 'tally.yaml')
  assert.deepEqual(named.services[0]!.upstreams, [])
  assert.equal(named.services[0]!.sealedBodies, 'refuse')
  const own = gate.replace('    routes', '    origin: https://ha.example\n    sealed_bodies: accept\n    routes')
  assert.deepEqual(
    loadConfig(file(own), 'tally.yaml').services.map(({ origin, sealedBodies }) => [origin, sealedBodies]),
    [['https://ha.example', 'accept']],
  )
})

test('gates do not hide the routes of each other', () => {
  const gate = (name: string): string => `  ${name}: { origin: "https://${name}.example", routes: { GET /**: free } }\n`
  assert.deepEqual(mistakesOf(`services:\n${gate('a')}${gate('b')}`), [])
})

test('where proxies ask nothing else can be', () => {
  const text = `services:
  app:
    upstream: http://127.0.0.1:1
    routes: { GET /authz/x: free, GET /challenge/app: free, GET /challenge/other: free, GET /**: free }
`
  const mistakes = mistakesOf(text)
  assert.equal(mistakes.length, 2)
  for (const mistake of mistakes) assert.match(mistake, /never reached: proxies in front ask there/)
})

test('trusted proxies and the gRPC listener', () => {
  const services = 'services: { a: { upstream: "http://127.0.0.1:1", routes: { GET /x: free } } }\n'
  const { trustedProxies, grpc } = loadConfig(file(services), 'tally.yaml')
  assert.deepEqual([trustedProxies, grpc], [[], undefined])
  const set = loadConfig(
    file(`grpc: 127.0.0.1:8403\ntrusted_proxies: [127.0.0.1/32, "::1/128"]\n${services}`),
    'tally.yaml',
  )
  assert.deepEqual(set.trustedProxies, [Network.parse('127.0.0.1/32'), Network.parse('::1/128')])
  assert.deepEqual(set.grpc, { host: '127.0.0.1', port: 8403 })
  for (const wrong of ['127.0.0.1', '[127.0.0.1]', '[10.0.0.1/8]', '[localhost]'])
    assert.match(mistakesOf(`trusted_proxies: ${wrong}\n${services}`).join(), /expected networks like/, wrong)
})
