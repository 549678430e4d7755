import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as fc from 'fast-check'
import {
  Amount,
  Bytes,
  Capability,
  Caveat,
  Credential,
  Discharge,
  HolderKey,
  Key,
  Macaroon,
  sha256,
  TallyError,
} from 'tallystick/core'
import { sqliteJar } from 'tallystick/storage/sqlite'
import { main } from '../main.ts'
import { testIo, type TestIoOptions } from './testIo.ts'
import { parseToken } from './tokenInput.ts'

const dir = mkdtempSync(join(tmpdir(), 'tally-token-'))
after(() => rmSync(dir, { recursive: true }))

const now = new Date('2026-11-22T12:00:00Z')
const key = Key.from('11'.repeat(32))
const preimage = Bytes.fromHex('22'.repeat(32))
const expires = new Date('2026-11-22T13:00:00Z')
const parent = Capability.mint(key, {
  paymentHash: sha256(preimage),
  tokenId: Bytes.fromHex('33'.repeat(32)),
  location: 'http://127.0.0.1:8402',
  caveats: [
    Caveat.services({ qr: 0 }),
    Caveat.validUntil('qr', expires),
    Caveat.profile(),
    Caveat.expires(expires),
    Caveat.verb('GET', 'HEAD'),
    Caveat.path('/qr/**'),
    Caveat.uses(5),
  ],
})
const bare = Macaroon.toBase64(parent)
const credential = Credential.format({ scheme: 'L402', macaroon: bare, preimage })
const keyFile = join(dir, 'issuer.key')
writeFileSync(keyFile, `${key.unsafeHex()}\n`)

async function run(argv: readonly string[], options: TestIoOptions = {}) {
  const io = testIo({ cwd: dir, now, ...options })
  const code = await main(argv, io)
  return { code, out: io.out(), err: io.err() }
}

test('inspect says in plain words what each caveat allows, and that nothing was checked', async () => {
  const { code, out, err } = await run(['token', 'inspect', bare, '--no-color'], { tty: true })
  assert.equal(code, 0)
  assert.equal(err, '')
  assert.match(out, /^from +http:\/\/127\.0\.0\.1:8402$/m)
  assert.match(out, new RegExp(`^token id +${'33'.repeat(32)}$`, 'm'))
  assert.match(out, /^expires +2026-11-22T13:00:00Z \(in 1 h\)$/m)
  assert.match(out, /^preimage +not here$/m)
  assert.match(out, /^services=qr:0 +only service qr$/m)
  assert.match(out, /^expires=\d+ +until 2026-11-22T13:00:00Z \(in 1 h\)$/m)
  assert.match(out, /^verb=GET,HEAD +only GET or HEAD$/m)
  assert.match(out, /^uses=5 +5 calls, counted together/m)
  assert.match(out, /anybody could have written this/)
})

test('inspect is JSON when piped, and keeps a preimage to itself unless asked', async () => {
  const secret = '22'.repeat(32)
  for (const argv of [
    ['token', 'inspect', '-'],
    ['token', 'inspect', '-', '--json'],
  ]) {
    const { out } = await run(argv, { stdin: `Authorization: ${credential}\n`, tty: argv.includes('--json') })
    const shown = JSON.parse(out) as { authenticated: boolean; preimage: string; caveats: { text: string }[] }
    assert.equal(shown.authenticated, false)
    assert.equal(shown.caveats.length, 7)
    assert.ok(!out.includes(secret))
  }
  assert.ok((await run(['token', 'inspect', credential, '--show-preimage'])).out.includes(secret))
  const carried = Macaroon.toBase64(Capability.attenuate(parent, [Caveat.preimage(preimage)]))
  assert.ok(!(await run(['token', 'inspect', carried])).out.includes(secret))
})

test('inspect shows caveats it does not know, made safe for the terminal', async () => {
  const odd = Macaroon.append(
    Macaroon.append(Macaroon.mint(new Uint8Array(32), parent.identifier, 'x\u001b[31m'), 'colour=red'),
    'uses=007',
  )
  const { code, out } = await run(['token', 'inspect', Macaroon.toBase64(odd), '--no-color'], { tty: true })
  assert.equal(code, 0)
  assert.match(out, /^colour=red +refused: /m)
  assert.match(out, /^uses=007 +refused: /m)
  assert.ok(!out.includes('\u001b'))
})

const delegate = (...argv: readonly string[]) => run(['token', 'delegate', ...argv])

const textsOf = (text: string, from: number): readonly string[] =>
  parseToken(text)
    .macaroon.caveats.slice(from)
    .map(({ id }) => Bytes.fromUtf8(id).replace(/(#|paid=).*/, '$1'))

test('delegate makes a narrower token that needs no preimage and verifies', async () => {
  const { code, out, err } = await delegate(
    credential,
    ...'--to bot --path /qr/* --uses 2 --for 5m --verb GET --caveat after=1 --net 10.0.0.0/8 --rate 1/60'.split(' '),
    '--budget',
    '10 sat',
  )
  assert.deepEqual([code, err], [0, ''])
  assert.match(out, /^L402 [A-Za-z0-9+/]+=*:\n$/)
  assert.ok(!out.includes('22'.repeat(32)))
  assert.deepEqual(textsOf(out, 7), [
    'link=bot#',
    `expires=${now.getTime() / 1000 + 300}`,
    'verb=GET',
    'path=/qr/*',
    'net=10.0.0.0/8',
    'uses=2',
    'budget=10000msat',
    'rate=1/60',
    'after=1',
    'paid=',
  ])
  Capability.authenticate(parseToken(out).macaroon, { key, issued: preimage })

  const again = await delegate(out.trim(), '--to', 'helper', '--uses', '1')
  assert.deepEqual(textsOf(again.out, 17), ['link=helper#', 'uses=1'])
  Capability.authenticate(parseToken(again.out).macaroon, { key, issued: preimage })
})

test('delegate cuts down what asks for more, says so, and refuses what leaves nothing', async () => {
  const { code, out, err } = await delegate(credential, '--to', 'bot', '--path', '/**', '--for', '2h', '--uses', '9')
  assert.equal(code, 0)
  assert.deepEqual(textsOf(out, 7), [
    'link=bot#',
    `expires=${expires.getTime() / 1000}`,
    'path=/qr/**',
    'uses=5',
    'paid=',
  ])
  assert.match(err, /^path=\/\*\* is more than the token has; written: path=\/qr\/\*\*$/m)
  const none = await delegate(credential, '--to', 'bot', '--path', '/text/**')
  assert.equal(none.code, 1)
  assert.match(none.err, /^error CAVEAT_EMPTY: .*\nfix: /)
})

test('delegate writes a file that only we can read, over one that others could', async () => {
  const file = join(dir, 'bot.token')
  writeFileSync(file, 'old', { mode: 0o644 })
  const { code, out, err } = await delegate(credential, '--to', 'bot', '-o', 'bot.token', '--json')
  assert.equal(code, 0, err)
  const { file: written, caveats } = JSON.parse(out) as { file: string; caveats: string[] }
  assert.equal(written, file)
  assert.deepEqual(
    caveats.map((text) => text.slice(0, 5)),
    ['link=', 'paid='],
  )
  assert.ok(!out.includes(textsOf(readFileSync(file, 'utf8'), 0).join()))
  assert.equal(statSync(file).mode & 0o777, 0o600)
})

test('delegate refuses a wrong command line, and tokens it could not hand on', async () => {
  const to = ['--to', 'bot']
  for (const wrong of [
    [],
    ['--to', 'No Blanks'],
    [...to, '--uses', 'many'],
    [...to, '--uses', '0'],
    [...to, '--budget', '10'],
    [...to, '--for', 'soon'],
    [...to, '--for', '2026-99-99'],
    [...to, '--path', 'qr'],
    [...to, '--net', '10.0.0.1/8'],
    [...to, '--rate', '10/m'],
    [...to, '--key', 'ed25519:short'],
    [...to, '--caveat', 'colour=red'],
  ]) {
    const { code, err } = await delegate(credential, ...wrong)
    assert.equal(code, 2, wrong.join(' '))
    assert.match(err, wrong.length === 0 ? /^error USAGE: say whom/ : new RegExp(`^error USAGE: ${wrong.at(-2)}: `))
  }
  assert.match((await delegate(bare, ...to)).err, /^error USAGE: only the macaroon was given/)
  const stock = Macaroon.append(Macaroon.mint(new Uint8Array(32), parent.identifier, 'x'), 'services=qr:0')
  const foreign = Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(stock), preimage })
  assert.match(
    (await delegate(foreign, ...to, '--uses', '1')).err,
    /^error CAPABILITY_UNPROFILED: .*may ignore `link=bot/,
  )
})

test('explain shows per link and dimension what is weaker, and judges a request', async () => {
  const scout = (await delegate(credential, '--to', 'scout', '--verb', 'GET', '--uses', '2')).out.trim()
  const shown = await run(['token', 'explain', scout, '--no-color'], { tty: true })
  assert.equal(shown.code, 0, shown.err)
  assert.match(shown.out, /^minted by the issuer\n/)
  assert.match(shown.out, /^handed to scout \(as its giver called it: scout#/m)
  assert.match(shown.out, /^ {2}⊂ verb +verb=GET,HEAD → verb=GET +no longer: method HEAD/m)
  assert.match(shown.out, /^ {2}⊂ uses +uses=5 → uses=2 +no longer: after 2 calls/m)
  assert.match(shown.out, /^Unauthenticated: /m)

  const refused = await run(['token', 'explain', scout, '--request', 'POST http://a.example/qr/x'])
  assert.equal(refused.code, 1, refused.err)
  const { request, authenticated } = JSON.parse(refused.out) as {
    authenticated: boolean
    request: { allowed: boolean; refusals: { caveat: string; link?: string }[] }
  }
  assert.equal(authenticated, false)
  assert.deepEqual(
    [request.allowed, request.refusals.map(({ caveat }) => caveat)],
    [false, ['verb=GET,HEAD', 'verb=GET']],
  )
})

test('explain compares with a parent and needs the key to call anything genuine', async () => {
  const given = await run(['token', 'mint', '--service', 'qr', '--for', '1d', '--uses', '9', '--key', 'issuer.key'])
  assert.equal(given.code, 0, given.err)
  const child = (await delegate(given.out.trim(), '--to', 'a', '--uses', '3')).out.trim()
  const good = await run(['token', 'explain', child, '--parent', given.out.trim(), '--key', 'issuer.key'])
  const { authenticated, parent } = JSON.parse(good.out) as {
    authenticated: boolean
    parent: { within: boolean; descends: boolean }
  }
  assert.deepEqual([good.code, authenticated, parent.within, parent.descends], [0, true, true, true])
  const wide = await run(['token', 'explain', given.out.trim(), '--parent', child])
  assert.equal(wide.code, 1)
  assert.equal((JSON.parse(wide.out) as { parent: { within: boolean } }).parent.within, false)
  writeFileSync(join(dir, 'strange.key'), '66'.repeat(32))
  assert.match((await run(['token', 'explain', child, '--key', 'strange.key'])).err, /^error CAPABILITY_INVALID/)
})

test('key, handoff, condition and discharge: made by commands, accepted by the issuer', async () => {
  const [first, second] = [await run(['token', 'key', 'a.key']), await run(['token', 'key', 'b.key'])]
  assert.match(first.out, /^ed25519:[A-Za-z0-9_-]{43}\n$/)
  assert.equal((await run(['token', 'key', 'a.key'])).out, first.out)
  const held = (await delegate(credential, '--to', 'a', '--key', first.out.trim())).out.trim()
  const taken = await delegate(held, '--to', 'b', '--key', second.out.trim())
  assert.equal(taken.code, 1, 'only the holder of the first key can hand it to another')
  const handed = (await delegate(held, '--to', 'b', '--key', second.out.trim(), '--holder', 'a.key')).out.trim()
  const ed25519 = HolderKey.verify
  Capability.authenticate(parseToken(handed).macaroon, { key, issued: preimage, ed25519 })

  writeFileSync(join(dir, 'shared.key'), '77'.repeat(32))
  const asking = (await delegate(credential, '--to', 'c', '--ask', 'https://auth.example', '--ask-key', 'shared.key'))
    .out
  const { asks } = JSON.parse((await run(['token', 'inspect', asking.trim()])).out) as { asks: { id: string }[] }
  assert.match(asks[0]!.id, /^c#[0-9a-f]{32}$/)
  const said = await run(['token', 'discharge', asks[0]!.id, '--key', 'shared.key', '--for', '10m'])
  const { macaroon } = parseToken(asking)
  const discharges = Discharge.bind(macaroon, [Macaroon.fromBase64(said.out.trim())])
  Capability.authenticate(macaroon, { key, issued: preimage, discharges })
  assert.throws(() => Capability.authenticate(macaroon, { key, issued: preimage }), { code: 'DISCHARGE_INVALID' })
})

test('revoke without a gateway that runs says so', async () => {
  const { code, err } = await run(['token', 'revoke', bare])
  assert.equal(code, 5)
  assert.match(err, /^error SERVER_UNREACHABLE: no gateway runs /)
  assert.match((await run(['token', 'revoke', bare, '--as', credential])).err, /^error USAGE: say where the gateway is/)
})

test('verify tells a genuine token, what it allows, and why not', async () => {
  const verify = (...more: string[]) => run(['token', 'verify', bare, '--key', keyFile, '--no-color', ...more])
  const proof = ['--preimage', '22'.repeat(32)]
  const request = ['--request', 'GET /qr/hello', '--cost', '10 sat']
  const good = await verify(...proof, ...request)
  assert.equal(good.code, 0)
  assert.match(good.out, /^genuine .*\nallowed +GET \/qr\/hello of service qr\nexpires .*\ndraws on +uses=5$/m)
  const json = JSON.parse((await verify(...proof, ...request, '--json')).out) as { genuine: boolean; meters: object[] }
  assert.deepEqual([json.genuine, json.meters], [true, [{ caveat: 'uses=5', kind: 'uses', cost: '1', limit: '5' }]])

  const refusals: [string[], string, number][] = [
    [[], 'PREIMAGE_MISMATCH', 1],
    [['--preimage', '44'.repeat(32)], 'PREIMAGE_MISMATCH', 1],
    [['--preimage', '22'.repeat(31)], 'USAGE', 2],
    [[...proof, '--request', 'GET /text/hello'], 'CAVEAT_REFUSED', 1],
    [[...proof, '--request', 'POST /qr/hello'], 'CAVEAT_REFUSED', 1],
    [[...proof, '--request', '/qr/hello'], 'USAGE', 2],
    [[...proof, '--request', 'GET /qr/../x'], 'PATH_AMBIGUOUS', 1],
    [[...proof, ...request, '--service', 'img'], 'CAVEAT_REFUSED', 1],
  ]
  for (const [options, expected, exit] of refusals) {
    const { code, out, err } = await verify(...options)
    assert.match(err, new RegExp(`^error ${expected}: `), options.join(' '))
    assert.deepEqual([code, out], [exit, ''])
  }
  writeFileSync(join(dir, 'other.key'), '55'.repeat(32))
  const other = await run(['token', 'verify', credential, '--key', 'other.key'])
  assert.match(other.err, /^error CAPABILITY_INVALID/)
  assert.equal((await run(['token', 'verify', credential, '--key', 'none.key'])).code, 1)
})

test('tokens come from files and stdin too; what is none is refused without being repeated', async () => {
  writeFileSync(join(dir, 'token.txt'), `${credential}\n`)
  const ids = await Promise.all(
    [['token.txt'], ['-'], [bare], [`${bare}:${'22'.repeat(32)}`]].map(async (args) => {
      const { out } = await run(['token', 'inspect', ...args], { stdin: bare })
      return (JSON.parse(out) as { token_id: string }).token_id
    }),
  )
  assert.deepEqual(new Set(ids), new Set(['33'.repeat(32)]))

  const secret = `${bare.slice(0, 40)}!${'22'.repeat(32)}`
  const { code, err } = await run(['token', 'inspect', secret])
  assert.equal(code, 1)
  assert.ok(!err.includes(secret) && !err.includes('22'.repeat(32)))
})

test('nothing but TallyError comes out of reading a token', () => {
  const texts = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc
      .tuple(fc.nat(credential.length), fc.string())
      .map(([at, with_]) => credential.slice(0, at) + with_ + credential.slice(at + 1)),
  )
  fc.assert(
    fc.property(texts, (text) => {
      try {
        parseToken(text)
      } catch (error) {
        assert.ok(TallyError.is(error), String(error))
      }
    }),
    { numRuns: Number(process.env['FUZZ_RUNS'] ?? 2000) },
  )
})

test('without TOKEN the newest of the jar is meant; only what still works is narrowed', async () => {
  const jarFile = join(dir, 'jar.db')
  const missing = await run(['token', 'inspect', '--jar', jarFile])
  assert.deepEqual([missing.code, missing.out], [1, ''])
  assert.match(missing.err, /^error FILE_UNAVAILABLE: there is no jar at .*`tally fetch`/)
  const jar = sqliteJar(jarFile)
  const buy = async (secret: Uint8Array, at: Date): Promise<Uint8Array> => {
    const paymentHash = sha256(secret)
    const caveats = [Caveat.services({ qr: 0 }), Caveat.profile(), Caveat.expires(expires), Caveat.uses(5)]
    const macaroon = Macaroon.toBase64(Capability.mint(key, { paymentHash, location: 'qr', caveats }))
    const [amount, maxFee] = [Amount.parse('10 sat'), Amount.parse('1 sat')]
    const where = {
      origin: 'http://127.0.0.1:1',
      method: 'GET',
      path: '/x',
      scheme: 'L402' as const,
      bolt11: 'lnbcrt1',
    }
    await jar.reserve({ paymentHash, macaroon, amount, maxFee, at, ...where }, [])
    return paymentHash
  }
  const live = await buy(preimage, new Date('2026-11-22T11:00:00Z'))
  assert.match((await run(['token', 'inspect', '--jar', jarFile])).err, /holds nothing/)
  await jar.keep(live, { preimage, fee: Amount.ZERO })
  const other = Bytes.fromHex('44'.repeat(32))
  const spent = await buy(other, new Date('2026-11-22T11:30:00Z'))
  await jar.keep(spent, { preimage: other, fee: Amount.ZERO })
  await jar.retire(spent)
  await jar[Symbol.asyncDispose]()

  const shown = await run(['token', 'inspect', 'last', '--jar', 'jar.db', '--no-color'], { tty: true })
  assert.match(shown.out, new RegExp(`^payment hash +${Bytes.toHex(spent)}$`, 'm'))
  assert.match(shown.out, /^bought +10 sat to http:\/\/127\.0\.0\.1:1, 30 min ago; used up or no longer honoured$/m)
  assert.match(shown.out, /^preimage +known, hidden/m)
  const narrowed = await delegate('--to', 'bot', '--uses', '1', '--jar', jarFile)
  Capability.authenticate(parseToken(narrowed.out).macaroon, { key, issued: preimage })
})
