import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sats } from '../core/Amount.ts'
import { randomBytes, toBase64 } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import * as Macaroon from '../core/Macaroon.ts'
import type { Kept } from '../storage/Jar.ts'
import { choose, coverage, isOver, readBounds, type Candidate } from './choose.ts'
import { judge, readOffered } from './policy.ts'
import type { Route } from './request.ts'
import { START } from './shop.test.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)
const soon = Math.floor(START.getTime() / 1000) + 60
const past = soon - 120

function macaroonOf(...caveats: readonly string[]): string {
  const bare = Macaroon.mint(new Uint8Array(32), new Uint8Array([1]), 'x')
  return Macaroon.toBase64(caveats.reduce<Macaroon.Macaroon>((macaroon, text) => Macaroon.append(macaroon, text), bare))
}

const at = (path: string, method = 'GET'): Route => ({ origin: 'https://a.example', method, path })

function candidate(macaroon: string, route: Route = at('/bought'), more: Partial<Kept> = {}): Candidate {
  const kept: Kept = {
    ...route,
    paymentHash: randomBytes(32),
    macaroon,
    scheme: 'L402',
    bolt11: 'lnbcrt1',
    amount: sats(1),
    maxFee: sats(1),
    at: START,
    state: 'paid',
    preimage: randomBytes(32),
    confirmed: true,
    ...more,
  }
  return { kept, bounds: readBounds(macaroon) }
}

const fits = (route: Route, ...caveats: readonly string[]): boolean =>
  choose([candidate(macaroonOf(...caveats))], route, START).length === 1

test('its own caveats say where a capability may be used', () => {
  const cases: [fits: boolean, route: Route, caveats: string[]][] = [
    [true, at('/other'), []],
    [true, at('/v1/a'), ['services=x:0', 'profile=dlg1', 'path=/v1/*', 'verb=GET,HEAD', 'uses=5']],
    [false, at('/v2/a'), ['path=/v1/*']],
    [false, at('/v1/a'), ['path=/v1/**', 'path=/v1/b']],
    [true, at('/v1/b'), ['path=/v1/**', 'path=/v1/b']],
    [false, at('/v1/a', 'POST'), ['verb=GET']],
    [true, at('/x'), [`expires=${soon}`]],
    [false, at('/x'), [`expires=${past}`]],
    [false, at('/x'), [`expires=${soon}`, `expires=${past}`]],
    [false, at('/x'), [`after=${soon}`]],
    [false, at('/x'), [`svc_valid_until=${past}`]],
    [true, at('/x'), [`a_valid_until=${past}`, `b_valid_until=${soon}`]],
    [false, at('/x'), ['route = /x']],
    [true, at('/bought'), ['route = /x']],
    [false, at('/x'), ['expires=tomorrow']],
    [true, at('/bought'), ['expires=tomorrow']],
    [false, at('/x'), ['path=nonsense']],
  ]
  for (const [expected, route, caveats] of cases)
    assert.equal(fits(route, ...caveats), expected, `${route.method} ${route.path} ${caveats.join(' ')}`)
})

test('only what is paid, of this origin, counts; this very route first, then the newest', () => {
  const wide = candidate(macaroonOf('services=x:0'), at('/other'))
  const own = candidate(macaroonOf('services=y:0'), at('/a'))
  const reserved = candidate(macaroonOf(), at('/a'), { state: 'reserved' })
  const foreign = candidate(macaroonOf(), { ...at('/a'), origin: 'https://b.example' })
  assert.deepEqual(choose([reserved, wide, foreign, own], at('/a'), START), [own, wide])
  assert.deepEqual(choose([wide, own], at('/c'), START), [wide, own])
})

test('one that expired is let go after an hour, which no clock is wrong by', () => {
  const one = candidate(macaroonOf(`expires=${soon}`))
  const later = (seconds: number): Date => new Date((soon + seconds) * 1000)
  assert.ok(!isOver(one, later(3600)))
  assert.ok(isOver(one, later(3601)))
  assert.ok(!isOver(candidate(macaroonOf()), later(1e6)))
})

test('purchases of what serves the same requests have the same name', () => {
  const name = (route: Route, ...caveats: readonly string[]): string =>
    coverage(readBounds(macaroonOf(...caveats)), route)
  assert.equal(name(at('/v1/a'), 'path=/v1/*', 'uses=5'), name(at('/v1/b'), 'path=/v1/*', 'uses=5'))
  assert.equal(name(at('/a'), 'budget=5000msat'), name(at('/b', 'POST'), 'budget=5000msat'))
  assert.notEqual(name(at('/a'), 'path=/a'), name(at('/b'), 'path=/b'))
  assert.notEqual(name(at('/a'), 'route = /a'), name(at('/b'), 'route = /a'))
})

test('fuzz: any text is a macaroon that may be kept, and at worst says nothing', () => {
  const caveat = fc.oneof(
    fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 }),
    fc
      .tuple(
        fc.constantFrom('expires', 'after', 'verb', 'path', 'uses', 'a_valid_until'),
        fc.string({ unit: 'grapheme-ascii' }),
      )
      .map((pair) => pair.join('=')),
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(caveat, { maxLength: 5 }).map((list) => macaroonOf(...list)),
      ),
      (text) => {
        const bounds = readBounds(text)
        choose([{ ...candidate(text), bounds }], at('/x'), START)
        coverage(bounds, at('/x'))
      },
    ),
    { numRuns },
  )
})

test('fuzz: from any 402 comes a quote or a TallyError', async () => {
  const header = fc.oneof(
    fc.string({ unit: 'grapheme-ascii' }),
    fc
      .tuple(fc.base64String(), fc.string({ unit: 'grapheme-ascii' }))
      .map(([m, i]) => `L402 macaroon="${m}", invoice="${i}"`),
    fc
      .uint8Array({ maxLength: 80 })
      .map((bytes) => `LSAT macaroon="${toBase64(bytes)}", invoice="lnbcrt1${'q'.repeat(120)}"`),
  )
  const body = fc.oneof(fc.string(), fc.json())
  await fc.assert(
    fc.asyncProperty(header, body, fc.boolean(), async (challenge, body, json) => {
      const headers = new Headers({ 'content-type': json ? 'application/problem+json' : 'text/html' })
      try {
        headers.set('www-authenticate', challenge)
      } catch {
        return
      }
      const response = new Response(body, { status: 402, headers })
      const offered = await readOffered(response)
      if (!offered) return assert.equal(await response.text(), body.toWellFormed())
      assert.throws(
        () => judge(offered, at('/x'), { network: 'bcrt', now: START }),
        (error) => TallyError.is(error),
      )
    }),
    { numRuns: Math.min(numRuns, 20_000) },
  )
})
