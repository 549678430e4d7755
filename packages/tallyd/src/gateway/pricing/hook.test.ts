import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { msats, sats, TallyError } from 'tallystick/core'
import { createAsk, priceOf } from './hook.ts'

const call = { method: 'GET', target: '/a?b=c?d', header: () => [], client: '10.0.0.1' }
const from = { kind: 'module', path: '/price.mjs', max: sats(5), timeout: 10_000, headers: [] } as const
const offer = { service: 's', route: 'GET /a' }

test('a number of questions is under way at once; one more is refused without being asked', async () => {
  const told: string[] = []
  const answers: ((answer: unknown) => void)[] = []
  const ask = createAsk(() => new Promise((resolve) => answers.push(resolve)), {
    offer,
    from,
    clock: () => new Date(0),
    onTrouble: ({ message }) => told.push(message),
  })
  const running = Array.from({ length: 64 }, () => ask(call))
  await assert.rejects(ask(call), { code: 'PRICE_UNAVAILABLE', status: 503 })
  assert.equal(answers.length, 64)
  assert.deepEqual(told, ['GET /a: the price module was not asked: 64 questions are under way'])
  for (const answer of answers) answer({ msat: 1n })
  assert.equal((await Promise.all(running)).length, 64)
  const next = ask(call)
  answers.at(-1)!({ msat: 2000 })
  assert.equal((await next).price, 2000n)
})

test('the question is all that the price may depend on', async () => {
  const asked = createAsk(() => ({ msat: 1 }), { offer, from, clock: () => new Date(0), onTrouble: () => {} })
  assert.deepEqual(JSON.parse((await asked(call)).question!), {
    service: 's',
    route: 'GET /a',
    method: 'GET',
    path: '/a',
    query: 'b=c?d',
    headers: {},
  })
})

test('fuzz: an answer is a price within the limit or refused, whatever it is', () => {
  const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)
  const answers = fc.oneof(
    fc.anything(),
    fc.record({ msat: fc.oneof(fc.anything(), fc.bigInt(), fc.double(), fc.integer()) }),
  )
  fc.assert(
    fc.property(answers, (answer) => {
      try {
        const price = priceOf(answer, msats(5000n))
        assert.ok(price >= 1n && price <= 5000n)
      } catch (error) {
        assert.ok(error instanceof Error && !(error instanceof TypeError) && !TallyError.is(error), String(error))
      }
    }),
    { numRuns },
  )
})
