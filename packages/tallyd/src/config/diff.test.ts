import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig, type Config } from '../config.ts'
import { diffConfig } from './diff.ts'

const HEAD = 'listen: 127.0.0.1:8402\nlightning: sim\n'
const config = (routes: string, { head = HEAD, more = '' } = {}): Config =>
  loadConfig(
    `${head}services:\n  qr:\n    upstream: http://127.0.0.1:1\n${more}    routes:\n${routes}`,
    '/etc/tally.yaml',
  )

test('says what is new, gone and otherwise, by route', () => {
  const before = config('      GET /a: 10 sat\n      GET /b: free\n      GET /c: 1 sat\n')
  const after = config('      GET /a: { price: 12 sat, uses: 2 }\n      GET /d: free\n      GET /c: free\n', {
    more: '    timeouts: { idle: 5s }\n',
  })
  assert.deepEqual(diffConfig(before, after), {
    changes: [
      '~ qr: timeouts.idle 60 → 5',
      '~ qr GET /a: price 10 sat → 12 sat',
      '~ qr GET /a: mode {"kind":"uses","uses":1} → {"kind":"uses","uses":2}',
      '+ qr GET /d: free',
      '~ qr GET /c: 1 sat → free',
      '- qr GET /b: free',
    ],
    restart: [],
    warnings: [],
  })
  assert.deepEqual(diffConfig(before, before), { changes: [], restart: [], warnings: [] })
})

test('names every key that waits for a restart', () => {
  const routes = '      GET /a: free\n'
  const after = config(routes, {
    head: 'listen: 127.0.0.1:9000\nlightning: embedded\nkey: env:K\nstore: memory\nstate: /x\norigin: https://x.example\nadmin: { listen: "127.0.0.1:1" }\nlog: { level: warn }\ndrain: { wait: 5s }\ntrusted_proxies: [10.0.0.0/8]\n',
  })
  const { restart, changes } = diffConfig(config(routes), after)
  assert.deepEqual([...restart].sort(), ['admin', 'key', 'lightning', 'listen', 'log', 'origin', 'state', 'store'])
  assert.deepEqual(changes, ['~ drain: wait none → 5', '~ trusted_proxies: none → 10.0.0.0/8'])
})

test('warns of what ends tokens that were sold', () => {
  const before = config('      GET /a: 10 sat\n      GET /b: { price: 1 sat, budget: 9 sat }\n      GET /c: 1 sat\n')
  const renamed = config(
    '      GET /x: 10 sat\n      GET /b: { price: 1 sat, budget: 9 sat }\n      GET /c: { price: 1 sat, requires: seal }\n',
  )
  assert.deepEqual(diffConfig(before, renamed).warnings, [
    'tokens sold for qr GET /a end: no route has these methods and this pattern any more',
    'tokens sold for qr GET /c end unless their holders can do it: GET /c now requires `seal`',
  ])
  const gone: Config = { ...before, services: before.services.map((service) => ({ ...service, name: 'other' })) }
  assert.equal(diffConfig(before, gone).warnings.length, 3)
})
