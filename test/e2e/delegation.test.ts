/**
 * The story of docs/delegation.md, through the real gateway and the embedded network: an agent pays, hands a part to a scout,
 * which hands a part of that to a helper. Each is a process of its own that was given one file.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { Bytes, Macaroon } from 'tallystick/core'
import { parseToken } from '../../packages/tallyd/src/cli/tokenInput.ts'
import { echo, gatewayProcess } from '../support/gatewayProcess.ts'
import { resident, type Answered, type Resident } from '../support/residents.ts'
import { run, workplace } from './shell.ts'

const yaml = (upstream: string): string => `listen: 127.0.0.1:0
lightning: embedded
services:
  search:
    upstream: ${upstream}
    routes:
      GET,POST,DELETE /v1/search/public/dear: { price: 50 sat, budget: 1000 sat }
      GET,POST,DELETE /v1/**: { price: 10 sat, budget: 1000 sat }
  images:
    upstream: ${upstream}
    routes:
      GET /images/**: 10 sat
`

interface Refusal {
  readonly status: number
  readonly code: string
  readonly caveat?: string
  readonly link?: string
}

/** What `tally fetch --json` printed; a reason stands in the problem, or beside the fresh quote. */
function refusalIn({ out, err }: Answered): Refusal & { fix: string } {
  assert.notEqual(out, '', err)
  const { status, body } = JSON.parse(out) as { status: number; body: string }
  const problem = JSON.parse(body) as { reason?: object }
  return { status, ...(problem.reason ?? problem) } as Refusal & { fix: string }
}

function isRefused(answer: Answered, expected: Refusal, what: string): void {
  const { status, code, caveat, link, fix } = refusalIn(answer)
  assert.deepEqual({ status, code, caveat, link }, { caveat: undefined, link: undefined, ...expected }, what)
  assert.ok(fix.length > 10, what)
}

const words = (text: string): readonly string[] => text.split(' ')

const give = (from: string, to: Resident, name: string): void => copyFileSync(from, path.join(to.dir, name))

/** What a holder with bare hands and a macaroon library can write. */
function append(credential: string, ...texts: readonly string[]): string {
  const { macaroon } = parseToken(credential)
  return `L402 ${Macaroon.toBase64(texts.reduce((longer, text) => Macaroon.append(longer, text), macaroon))}:`
}

test(
  'an agent pays, a scout and a helper are handed parts, and each can do its part only',
  { timeout: 180_000 },
  async (t) => {
    using agent = workplace()
    await using upstream = await echo()
    writeFileSync(path.join(agent.dir, 'tally.yaml'), yaml(upstream.url))
    await using gateway = await gatewayProcess(agent.dir)
    await using scout = await resident('scout')
    await using helper = await resident('helper')
    const { url } = gateway
    const { host } = new URL(url)
    const fetch = (holder: Resident, token: string, target: string, ...more: string[]) =>
      holder.tally('fetch', '--json', '--token', token, ...more, `${url}${target}`)

    // The agent pays once, and hands on with no network at all.
    const bought = await run(['fetch', `${url}/v1/search/hello`, '--max-cost', '1000 sat'], agent.dir)
    assert.equal(bought.code, 0, bought.err)
    const { preimage } = JSON.parse((await run(['token', 'inspect', '--show-preimage'], agent.dir)).out) as {
      preimage: string
    }
    assert.match(preimage, /^[0-9a-f]{64}$/)
    const narrowing = words(
      '--for 5m --uses 20 --verb GET,POST --path /v1/search/** --net 127.0.0.1/32 --caveat none:q.admin=1',
    )
    const money = ['--budget', '500 sat', '--price', '20 sat', '--host', host]
    const delegate = [...words('token delegate --to scout-7 -o scout.token'), ...narrowing, ...money]
    const delegated = await run(delegate, agent.dir)
    assert.equal(delegated.code, 0, delegated.err)
    const scoutFile = path.join(agent.dir, 'scout.token')
    assert.equal(statSync(scoutFile).mode & 0o777, 0o600)
    give(scoutFile, scout, 'scout.token')

    // The scout uses its part, and hands on a part of that.
    assert.match(
      (await fetch(scout, 'scout.token', '/v1/search/oslo?q=1')).out,
      /"status":200.*GET \/v1\/search\/oslo\?q=1 0/,
    )
    const handed = await scout.tally(
      ...words('token delegate scout.token --to helper --for 1m --uses 3 --verb GET -o helper.token'),
      ...words('--path /v1/search/public/** --caveat in:q.lang=en,no --caveat max:q.limit=50 --caveat depth=0'),
    )
    assert.equal(handed.code, 0, handed.err)
    give(path.join(scout.dir, 'helper.token'), helper, 'helper.token')
    const good = '/v1/search/public/x?lang=en&limit=50'
    assert.match((await fetch(helper, 'helper.token', good)).out, /"status":200/)

    await t.test('what the scout may not, and what it may', async () => {
      const token = readFileSync(path.join(scout.dir, 'scout.token'), 'utf8').trim()
      const own = '/v1/search/oslo'
      const byScout = { status: 403, code: 'CAVEAT_REFUSED', link: 'scout-7' }
      const asked: [string, string, readonly string[], Refusal][] = [
        ['another method', own, ['-X', 'DELETE'], { ...byScout, caveat: 'verb=GET,POST' }],
        ['another path', '/v1/me', [], { ...byScout, caveat: 'path=/v1/search/**' }],
        ['the folder itself', '/v1/search', [], { ...byScout, caveat: 'path=/v1/search/**' }],
        ['one that begins alike', '/v1/searching/x', [], { ...byScout, caveat: 'path=/v1/search/**' }],
        ['an argument that must be absent', `${own}?admin=1`, [], { ...byScout, caveat: 'none:q.admin=1' }],
        ['the same among others', `${own}?q=2&admin=1`, [], { ...byScout, caveat: 'none:q.admin=1' }],
        ['a dearer call', '/v1/search/public/dear', [], { ...byScout, caveat: 'price=20000msat' }],
        ['another service', '/images/x', [], { status: 403, code: 'CAVEAT_REFUSED', caveat: 'services=search:0' }],
      ]
      for (const [what, target, more, expected] of asked)
        isRefused(await fetch(scout, 'scout.token', target, ...more), expected, what)
      const elsewhere = `${url.replace('127.0.0.1', 'localhost')}${own}`
      const named = await scout.tally('fetch', '--json', '--token', 'scout.token', elsewhere)
      isRefused(named, { ...byScout, caveat: `host=${host}` }, 'under another name')

      const widens = { status: 403, code: 'CAVEAT_WIDENS', link: 'scout-7' }
      const unknown = { status: 403, code: 'CAVEAT_UNKNOWN' }
      const written: [string, string, Refusal][] = [
        ['widen the path', 'path=/v1/**', { ...widens, caveat: 'path=/v1/**' }],
        ['leave the path', 'path=/images/**', { ...widens, caveat: 'path=/images/**' }],
        ['more methods', 'verb=GET,POST,DELETE', { ...widens, caveat: 'verb=GET,POST,DELETE' }],
        ['more uses', 'uses=21', { ...widens, caveat: 'uses=21' }],
        ['more money', 'budget=500001msat', { ...widens, caveat: 'budget=500001msat' }],
        ['dearer calls', 'price=20001msat', { ...widens, caveat: 'price=20001msat' }],
        ['a longer life', 'expires=4000000000', { ...widens, caveat: 'expires=4000000000' }],
        ['a wider network', 'net=127.0.0.0/8', { ...widens, caveat: 'net=127.0.0.0/8' }],
        ['another host', 'host=other.example', { ...widens, caveat: 'host=other.example' }],
        ['another service', 'services=images:0', { ...widens, caveat: 'services=images:0' }],
        ['a preimage', `preimage=${'00'.repeat(32)}`, { ...widens, caveat: 'preimage=…' }],
        ['another payment', `paid=${'00'.repeat(32)}`, { ...widens, caveat: 'paid=…' }],
        ['an invention', 'colour=red', { ...unknown, caveat: 'colour=red' }],
        ['an odd spelling', 'Verb=GET', { ...unknown, caveat: 'Verb=GET' }],
        ['another verifier', 'aud=api.example.com', { ...byScout, caveat: 'aud=api.example.com' }],
        ['no seal', 'seal=1', { status: 403, code: 'SEAL_INVALID', caveat: 'seal=1', link: 'scout-7' }],
        [
          'after its end',
          'expires=1700000000',
          { status: 402, code: 'CAPABILITY_EXPIRED', caveat: 'expires=1700000000', link: 'scout-7' },
        ],
      ]
      for (const [what, text, expected] of written)
        isRefused(await scout.raw({ authorization: append(token, text), url: `${url}${own}` }), expected, what)
      assert.ok(asked.length + 1 + written.length >= 20)
      t.diagnostic(`${asked.length + 1 + written.length} things the scout may not do are refused`)
      assert.match((await fetch(scout, 'scout.token', own)).out, /"status":200/)
      assert.match((await fetch(scout, 'scout.token', own, '-X', 'POST', '-d', 'x')).out, /"status":200/)
    })

    await t.test('what the helper may not', async () => {
      const token = readFileSync(path.join(helper.dir, 'helper.token'), 'utf8').trim()
      const refused = { status: 403, code: 'CAVEAT_REFUSED' }
      const [byHelper, byScout] = [
        { ...refused, link: 'helper' },
        { ...refused, link: 'scout-7' },
      ]
      const cases: [string, string, readonly string[], Refusal][] = [
        ['another method', good, ['-X', 'POST', '-d', 'x'], { ...byHelper, caveat: 'verb=GET' }],
        ['one that the scout has not either', good, ['-X', 'DELETE'], { ...byScout, caveat: 'verb=GET,POST' }],
        [
          'another path',
          '/v1/search/private/x?lang=en&limit=1',
          [],
          { ...byHelper, caveat: 'path=/v1/search/public/**' },
        ],
        ['one outside of the scout’s', '/v1/me?lang=en&limit=1', [], { ...byScout, caveat: 'path=/v1/search/**' }],
        ['another argument', '/v1/search/public/x?lang=de&limit=1', [], { ...byHelper, caveat: 'in:q.lang=en,no' }],
        ['none', '/v1/search/public/x?limit=1', [], { ...byHelper, caveat: 'in:q.lang=en,no' }],
        ['two', '/v1/search/public/x?lang=en&lang=no&limit=1', [], { ...byHelper, caveat: 'in:q.lang=en,no' }],
        ['too high a one', '/v1/search/public/x?lang=en&limit=51', [], { ...byHelper, caveat: 'max:q.limit=50' }],
        [
          'one that is no number',
          '/v1/search/public/x?lang=en&limit=5e1',
          [],
          { ...byHelper, caveat: 'max:q.limit=50' },
        ],
        ['one that must be absent', `${good}&admin=1`, [], { ...byScout, caveat: 'none:q.admin=1' }],
        ['a dearer call', '/v1/search/public/dear?lang=en&limit=1', [], { ...byScout, caveat: 'price=20000msat' }],
        ['another service', '/images/x?lang=en&limit=1', [], { ...refused, caveat: 'services=search:0' }],
      ]
      for (const [what, target, more, expected] of cases)
        isRefused(await fetch(helper, 'helper.token', target, ...more), expected, what)

      const elsewhere = await helper.tally(
        'fetch',
        '--json',
        '--token',
        'helper.token',
        `${url.replace('127.0.0.1', 'localhost')}${good}`,
      )
      isRefused(elsewhere, { ...byScout, caveat: `host=${host}` }, 'under another name')

      const written: [string, readonly string[], Refusal][] = [
        [
          'widen the path',
          ['path=/v1/**'],
          { status: 403, code: 'CAVEAT_WIDENS', caveat: 'path=/v1/**', link: 'helper' },
        ],
        ['raise the uses', ['uses=9'], { status: 403, code: 'CAVEAT_WIDENS', caveat: 'uses=9', link: 'helper' }],
        [
          'live longer',
          ['expires=4000000000'],
          { status: 403, code: 'CAVEAT_WIDENS', caveat: 'expires=4000000000', link: 'helper' },
        ],
        ['hand it on', ['link=friend#aaaaaaaa'], { ...byHelper, caveat: 'depth=0' }],
        ['invent a caveat', ['colour=red'], { status: 403, code: 'CAVEAT_UNKNOWN', caveat: 'colour=red' }],
        ['spell one oddly', ['Verb=GET'], { status: 403, code: 'CAVEAT_UNKNOWN', caveat: 'Verb=GET' }],
        [
          'bring a preimage',
          [`preimage=${'00'.repeat(32)}`],
          { status: 403, code: 'CAVEAT_WIDENS', caveat: 'preimage=…', link: 'helper' },
        ],
        [
          'pay again',
          [`paid=${'00'.repeat(32)}`],
          { status: 403, code: 'CAVEAT_WIDENS', caveat: 'paid=…', link: 'helper' },
        ],
        [
          'use it after its end',
          ['expires=1700000000'],
          { status: 402, code: 'CAPABILITY_EXPIRED', caveat: 'expires=1700000000', link: 'helper' },
        ],
        ['be another verifier', ['aud=api.example.com'], { ...byHelper, caveat: 'aud=api.example.com' }],
        ['go unsealed', ['seal=1'], { status: 403, code: 'SEAL_INVALID', caveat: 'seal=1', link: 'helper' }],
      ]
      for (const [what, texts, expected] of written) {
        const authorization = append(token, ...texts)
        isRefused(await helper.raw({ authorization, url: `${url}${good}` }), expected, what)
      }
      const far = await helper.raw({ authorization: token, url: `${url}${good}`, localAddress: '127.0.0.2' })
      if (far.code === 0) isRefused(far, { ...byScout, caveat: 'net=127.0.0.1/32' }, 'from another address')
      else t.diagnostic('this system has one loopback address only')

      const cut = parseToken(token).macaroon
      const dropped = `L402 ${Macaroon.toBase64({ ...cut, caveats: cut.caveats.slice(0, -1) })}:`
      isRefused(
        await helper.raw({ authorization: dropped, url: `${url}${good}` }),
        { status: 402, code: 'CAPABILITY_INVALID' },
        'drop a caveat',
      )

      assert.match(
        (await helper.tally('token', 'delegate', 'helper.token', '--to', 'friend')).err,
        /^error CAVEAT_REFUSED: .*depth=0/,
      )
      for (const lang of ['en', 'no'])
        assert.match(
          (await fetch(helper, 'helper.token', `/v1/search/public/x?lang=${lang}&limit=1`)).out,
          /"status":200/,
        )
      isRefused(
        await fetch(helper, 'helper.token', good),
        { status: 402, code: 'CAPABILITY_SPENT', caveat: 'uses=3', link: 'helper' },
        'a fourth call',
      )
    })

    await t.test('what a body may say, and which', async () => {
      const tokenFor = async (name: string, ...caveats: readonly string[]): Promise<void> => {
        const options = caveats.flatMap((text) => ['--caveat', text])
        const made = await scout.tally(
          'token',
          'delegate',
          'scout.token',
          '--to',
          name,
          '--verb',
          'POST',
          ...options,
          '-o',
          name,
        )
        assert.equal(made.code, 0, made.err)
      }
      const json = ['-H', 'content-type: application/json', '-X', 'POST']
      const post = (token: string, body: string) => fetch(scout, token, '/v1/search/ask', ...json, '-d', body)
      await tokenFor('asker', 'in:b./model=small', 'max:b./max_tokens=100')
      const said = '{"model":"small","max_tokens":100, "prompt":"ø"}'
      assert.match((await post('asker', said)).out, /"status":200/)
      assert.equal(Buffer.from(upstream.seen.at(-1)!, 'latin1').toString(), said, 'the very same bytes went on')
      const limits = { status: 403, code: 'CAVEAT_REFUSED', link: 'asker' }
      for (const [body, caveat] of [
        ['{"model":"large","max_tokens":1}', 'in:b./model=small'],
        ['{"model":"small","max_tokens":101}', 'max:b./max_tokens=100'],
        ['{"model":"small","max_tokens":1,"max_tokens":9000}', 'in:b./model=small'],
        ['model=small', 'in:b./model=small'],
      ] as const)
        isRefused(await post('asker', body), { ...limits, caveat }, body)
      const large = JSON.stringify({ model: 'small', max_tokens: 1, prompt: 'x'.repeat(65_536) })
      isRefused(await post('asker', large), { status: 413, code: 'BODY_TOO_LARGE' }, 'too large to look into')

      await tokenFor('sender', `body=${createHash('sha256').update('once').digest('hex')}`)
      assert.match((await post('sender', 'once')).out, /"status":200/)
      const other = refusalIn(await post('sender', 'twice'))
      assert.deepEqual([other.code, other.link], ['CAVEAT_REFUSED', 'sender'])
    })

    await t.test('neither process has ever seen the preimage', async () => {
      const bytes = Bytes.fromHex(preimage)
      const secrets = { hex: Buffer.from(preimage), bytes, base64: Buffer.from(Bytes.toBase64(bytes)) }
      for (const holder of [scout, helper]) {
        const { looked, found } = await holder.search(secrets)
        t.diagnostic(`looked at ${looked.join(', ')}`)
        assert.deepEqual(found, [])
        const [seen] = parseToken(
          readFileSync(path.join(holder.dir, holder === scout ? 'scout.token' : 'helper.token'), 'utf8'),
        ).macaroon.caveats.slice(-1)
        const control = await holder.search({ control: Buffer.from(seen!.id) })
        assert.ok(control.found.length > 0, 'the search finds what is there')
      }
      for (const line of gateway.output) assert.ok(!line.includes(preimage))
    })

    await t.test(
      'the agent takes back what it gave the scout: the helper stops too, and the agent goes on',
      async () => {
        const stranger = await helper.tally('token', 'revoke', 'helper.token', '--as', 'helper.token', '--at', url)
        assert.match(stranger.err, /^error (?:DELEGATION_REFUSED|CAPABILITY_SPENT)/)
        const fresh = ['token', 'delegate', 'scout.token', '--to', 'helper-2', '-o', 'helper-2.token']
        assert.equal((await scout.tally(...fresh)).code, 0)
        give(path.join(scout.dir, 'helper-2.token'), helper, 'helper-2.token')
        assert.match((await fetch(helper, 'helper-2.token', '/v1/search/x')).out, /"status":200/)

        const back = await run(['token', 'revoke', 'scout.token', '--as', 'last'], agent.dir)
        assert.deepEqual([back.code, back.out.replace(/#.*/, '#')], [0, 'revoked: link scout-7#\n'], back.err)
        const gone = { status: 402, code: 'CAPABILITY_REVOKED', link: 'scout-7' }
        isRefused(await fetch(scout, 'scout.token', '/v1/search/x'), gone, 'the scout')
        isRefused(await fetch(helper, 'helper-2.token', '/v1/search/x'), gone, 'the helper')
        const on = await run(['fetch', `${url}/v1/search/still`, '--json'], agent.dir)
        assert.deepEqual((JSON.parse(on.out) as { status: number; paid: string }).status, 200, on.err)
        assert.equal((JSON.parse(on.out) as { paid: string }).paid, '0 sat')

        const all = await run(['token', 'revoke', 'last'], agent.dir)
        assert.deepEqual([all.code, all.out], [0, 'revoked: the whole token\n'], all.err)
        const dry = await run(['fetch', `${url}/v1/search/still`, '--json', '--max-cost', '1 sat'], agent.dir)
        assert.equal(dry.code, 3, 'the operator took the token itself, so the agent would have to buy another')
      },
    )
  },
)
