import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as fc from 'fast-check'
import { Amount, Bytes, Capability, Caveat, Credential, Key, Macaroon, sha256, TallyError } from 'tallystick/core'
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

test('attenuate makes a narrower token that verifies, and refuses to widen', async () => {
  const argv = ['token', 'attenuate', credential, '--link', 'bot', '--path', '/qr/*', '--uses', '2', '--expires', '5m']
  const { code, out, err } = await run([...argv, '--verb', 'GET', '--caveat', 'after=1'])
  assert.equal(code, 0)
  assert.match(err, /also needs the preimage/)
  const child = Macaroon.fromBase64(out.trim())
  const texts = child.caveats.slice(7).map(({ id }) => Bytes.fromUtf8(id).replace(/#.*/, '#'))
  assert.deepEqual(texts, [
    'link=bot#',
    'verb=GET',
    'path=/qr/*',
    'uses=2',
    `expires=${now.getTime() / 1000 + 300}`,
    'after=1',
  ])
  Capability.authenticate(child, { key, preimage })

  const wider = await run(['token', 'attenuate', bare, '--path', '/**'])
  assert.equal(wider.code, 1)
  assert.match(wider.err, /^error CAVEAT_WIDENS: .*\nfix: A caveat may only narrow/)
  assert.equal(wider.out, '')
})

test('attenuate hands out the preimage only when told to, and says what that means', async () => {
  const { out, err } = await run(['token', 'attenuate', credential, '--uses', '1', '--show-preimage'])
  const [given] = Credential.parse({ authorization: [out.trim()] })
  assert.deepEqual(given?.preimage, preimage)
  assert.match(err, /use that one in full/)
  const unknown = await run(['token', 'attenuate', bare, '--uses', '1', '--show-preimage'])
  assert.equal(unknown.code, 2)
})

test('attenuate refuses a wrong command line', async () => {
  for (const wrong of [
    [],
    ['--uses', 'many'],
    ['--budget', '10'],
    ['--expires', 'soon'],
    ['--expires', '2026-99-99'],
    ['--link', 'No Blanks'],
    ['--path', 'qr'],
    ['--caveat', 'colour=red'],
  ]) {
    const { code, err } = await run(['token', 'attenuate', bare, ...wrong])
    assert.equal(code, 2, wrong.join(' '))
    assert.match(err, wrong.length === 0 ? /^error USAGE: say how/ : new RegExp(`^error USAGE: ${wrong[0]}: `))
  }
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
  const narrowed = Macaroon.fromBase64((await run(['token', 'attenuate', '--uses', '1', '--jar', jarFile])).out.trim())
  Capability.authenticate(narrowed, { key, preimage })
})
