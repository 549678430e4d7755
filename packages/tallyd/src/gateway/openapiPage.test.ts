import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../config.ts'
import { openapiPage } from './openapiPage.ts'

interface Operation {
  readonly 'x-payment-info'?: { readonly offers: readonly object[] }
  readonly responses: Record<string, object>
}

test('the route table as OpenAPI: what is paid for by which intent, what only L402 sells, and what is free', () => {
  const { services } = loadConfig(
    `lightning: sim
services:
  a:
    upstream: http://h
    routes:
      GET /one/*/x: 10 sat
      GET /many/**: { price: 2 sat, uses: 5 }
      POST /balance: { price: 3 sat, budget: 100 sat }
      GET /pass: { price: 3 sat, pass: 1h }
      GET /odd: 1500 msat
      GET /free: free
`,
    'tally.yaml',
  )
  const page = openapiPage(services)
  const { openapi, paths } = JSON.parse(page.body) as {
    openapi: string
    paths: Record<string, Record<string, Operation>>
  }
  assert.equal(openapi, '3.1.0')
  assert.deepEqual(Object.keys(paths), ['/one/{part2}/x', '/many/{rest}', '/balance', '/pass', '/odd', '/free'])
  const offers = (path: string, method = 'get'): unknown => paths[path]![method]!['x-payment-info']?.offers
  const lightning = { method: 'lightning', currency: 'sat' }
  assert.deepEqual(offers('/one/{part2}/x'), [{ intent: 'charge', ...lightning, amount: '10' }])
  assert.deepEqual(offers('/many/{rest}'), [{ intent: 'session', ...lightning, amount: '2' }])
  assert.deepEqual(offers('/balance', 'post'), [{ intent: 'session', ...lightning, amount: '3' }])
  for (const path of ['/pass', '/odd']) {
    assert.equal(offers(path), undefined)
    assert.ok('402' in paths[path]!['get']!.responses)
  }
  assert.deepEqual(Object.keys(paths['/free']!['get']!.responses), ['200'])
})
