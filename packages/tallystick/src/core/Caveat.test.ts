import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { sats } from './Amount.ts'
import * as Caveat from './Caveat.ts'
import { TallyError, type ErrorCode } from './errors.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

const refuses = (code: ErrorCode, run: () => unknown): TallyError => {
  try {
    run()
  } catch (error) {
    assert.ok(TallyError.is(error), String(error))
    assert.equal(error.code, code)
    return error
  }
  return assert.fail('accepted')
}

const good = [
  'services=search:0',
  'services=search:0,img:1',
  'services=lightning_loop:0',
  'search_valid_until=1900000000',
  'lightning_loop_valid_until=0',
  'a_valid_until_valid_until=1',
  'search_capabilities=read,list',
  'profile=dlg1',
  'expires=0',
  'expires=9007199254740991',
  'after=1900000000',
  'verb=GET',
  'verb=GET,HEAD,M-SEARCH',
  'path=/',
  'path=/v1/search/**,/v1/me',
  'uses=0',
  'uses=100',
  'budget=250000msat',
  'budget=0msat',
  `preimage=${'0a'.repeat(32)}`,
  'link=research-bot#q7k2m4xa',
  `link=${'a'.repeat(64)}#${'a'.repeat(26)}`,
  'aud=api.example.com,a,localhost:8402',
  'host=api.example.com,*.img.example.com,localhost:8402',
  'net=203.0.113.0/24,2001:db8::/32',
  'in:q.lang=de,a%2Cb,%25,%C3%A9,=',
  'in:b./model=small',
  'max:b./max_tokens=4096',
  'max:q.x_valid_until=4096',
  'min:q.page=0',
  'none:b./tools=1',
  `body=${'0a'.repeat(32)}`,
  'price=1000msat',
  'price=0msat',
  'rate=10/60',
  'purpose=summarise the inbox, once',
  'depth=0',
]

test('every caveat of the vocabulary comes back as it was written', () => {
  for (const text of good) {
    const caveat = Caveat.parse(text)
    assert.equal(Caveat.format(caveat), text)
    assert.equal(`${caveat.key}=${caveat.room.format(caveat.value)}`, text)
    assert.equal(Caveat.witness(caveat, caveat), undefined)
  }
})

test('there is one spelling', () => {
  const int = ['', '-1', '+1', '01', '1.0', '1e9', '0x10', ' 1', '1 ', '9007199254740992', '99999999999999999', '१']
  const bad = [
    '',
    'services',
    ...int.flatMap((value) => [`expires=${value}`, `after=${value}`, `uses=${value}`, `budget=${value}msat`]),
    ...int.flatMap((value) => [`services=a:${value}`, `a_valid_until=${value}`]),
    ...['a', 'a:', ':0', 'a:0,', ',a:0', 'a:0,a:0', 'a:0,a:1', 'A:0', 'a b:0', '-a:0', `${'a'.repeat(65)}:0`].map(
      (value) => `services=${value}`,
    ),
    ...['read,read', 'Read', '', 'a,'].map((value) => `search_capabilities=${value}`),
    ...['get', 'GET,GET', 'GET,', 'GET HEAD', 'GET, HEAD', '*', 'G3T', ''].map((value) => `verb=${value}`),
    ...['', 'a', '/a,/a', '/a,', '/a, /b', '/a//b', '/a?b', '/%2e', '/a/**/b'].map((value) => `path=${value}`),
    ...['1', '1sat', '1 msat', '1MSAT', '1.5msat', 'msat'].map((value) => `budget=${value}`),
    ...['0a', '0A'.repeat(32), '0a'.repeat(33), 'zz'.repeat(32)].map((value) => `preimage=${value}`),
    ...['bot', 'bot#', '#q7k2m4xa', 'Bot#q7k2m4xa', 'bot#q7k2m4x', 'bot#q7k2m4x1', 'bot#Q7K2M4XA', 'a#b#q7k2m4xa'].map(
      (value) => `link=${value}`,
    ),
    `link=a#${'a'.repeat(27)}`,
    ...int.flatMap((value) => [`max:q.a=${value}`, `min:b./a=${value}`, `rate=${value}/60`, `rate=1/${value}`]),
    ...int.flatMap((value) => [`depth=${value}`, `price=${value}msat`]),
    ...['', 'a,a', 'A', 'a b', 'a,', 'a:', 'a:0', 'a:1:2', 'a'.repeat(65)].map((value) => `aud=${value}`),
    ...['', 'A', 'a,a', 'a,', 'a, b', '*', 'a:0'].map((value) => `host=${value}`),
    ...['', '10.0.0.1', '10.0.0.1/8', '::ffff:10.0.0.0/104', '::0/0', '0.0.0.0/0,0.0.0.0/0'].map(
      (value) => `net=${value}`,
    ),
    ...['', 'a,a', 'a,', 'a b', '%61', '%2c', '%2', '%FF', 'a%00%'].map((value) => `in:q.a=${value}`),
    ...['', 'q', 'q.', 'b.a', 'a', 'q.a:b', 'b./~', 'q.%61', 'Q.a'].map((value) => `max:${value}=1`),
    ...['', '0', '2', 'true'].map((value) => `none:q.a=${value}`),
    ...['', '0A'.repeat(32), '0a'].map((value) => `body=${value}`),
    ...['10', '10/0', '/', '10/60/1', '10/60s'].map((value) => `rate=${value}`),
    ...['1', '1sat'].map((value) => `price=${value}`),
    'purpose=',
    `purpose=${'a'.repeat(129)}`,
    'expires=1\n',
    'expires=1\u0000',
    'vérb=GET',
  ]
  for (const text of bad) refuses('CAVEAT_MALFORMED', () => Caveat.parse(text))
})

test('what is too long is refused as that, with how much may be', () => {
  const many = Array.from({ length: 65 }, (_, i) => `a${i}`)
  const { details } = refuses('CAPABILITY_LIMIT', () => Caveat.parse(`in:q.a=${many.join()}`))
  assert.deepEqual(details, { caveat: `in:q.a=${many.join()}`.slice(0, 200), limit: 'items', most: 64 })
  Caveat.parse(`in:q.a=${many.slice(1).join()}`)
  for (const key of ['aud', 'in:b./a']) refuses('CAPABILITY_LIMIT', () => Caveat.parse(`${key}=${many.join()}`))
  const long = refuses('CAPABILITY_LIMIT', () => Caveat.parse(`verb=${'A'.repeat(1020)}`))
  assert.deepEqual(long.details, { limit: 'caveat', most: 1024 })
  refuses('CAVEAT_MALFORMED', () => Caveat.parse(`verb=${'A'.repeat(1019)}`))
})

test('the world is closed', () => {
  const unknown = [
    'Verb=GET',
    'verb =GET',
    ' verb=GET',
    'VERB=GET',
    '=',
    '=GET',
    'rates=10/60',
    'max=1',
    'maxi:q.a=1',
    'frozen=',
    'x=1',
  ]
  const nearly = [
    '_valid_until=1',
    'A_valid_until=1',
    'valid_until=1',
    'a_Valid_until=1',
    'a_capabilities_x=1',
    'profile=dlg2',
    'max_tokens=5',
    'a:q.b=1',
    'Max:q.b=1',
    'aud:q.b=1',
  ]
  for (const text of [...unknown, ...nearly]) refuses('CAVEAT_UNKNOWN', () => Caveat.parse(text))
})

test('an error names the caveat, but not what might be a secret', () => {
  const error = refuses('CAVEAT_UNKNOWN', () => Caveat.parse('Verb=GET'))
  assert.equal(error.details['caveat'], 'Verb=GET')
  assert.match(error.message, /`Verb=GET`/)
  const secret = '0b'.repeat(32)
  for (const text of [
    `Preimage=${secret}`,
    `preimage=${secret}00`,
    `preimage= ${secret}`,
    `verb=${secret.toUpperCase()}`,
  ])
    assert.doesNotMatch(
      JSON.stringify(
        refuses(text.startsWith('P') ? 'CAVEAT_UNKNOWN' : 'CAVEAT_MALFORMED', () => Caveat.parse(text)).toProblem(),
      ),
      /0b0b/i,
    )
})

test('constructors write the one spelling', () => {
  const time = new Date(1_900_000_000_500)
  assert.deepEqual(
    [
      Caveat.services({ search: 0, img: 1 }),
      Caveat.validUntil('search', time),
      Caveat.profile(),
      Caveat.expires(time),
      Caveat.after(time),
      Caveat.verb('GET', 'HEAD'),
      Caveat.path('/v1/search/**', '/v1/me'),
      Caveat.uses(5),
      Caveat.budget('500 sat'),
      Caveat.budget(sats(1)),
      Caveat.preimage(new Uint8Array(32)),
      Caveat.link('research-bot', 'q7k2m4xa'),
      Caveat.aud('a', 'b'),
      Caveat.host('a.b', '*.c'),
      Caveat.net('10.0.0.0/8'),
      Caveat.price('1 sat'),
      Caveat.rate(10, { seconds: 60 }),
      Caveat.depth(2),
      Caveat.purpose('why not'),
    ].map(Caveat.format),
    [
      'services=search:0,img:1',
      'search_valid_until=1900000000',
      'profile=dlg1',
      'expires=1900000000',
      'after=1900000001',
      'verb=GET,HEAD',
      'path=/v1/search/**,/v1/me',
      'uses=5',
      'budget=500000msat',
      'budget=1000msat',
      `preimage=${'00'.repeat(32)}`,
      'link=research-bot#q7k2m4xa',
      'aud=a,b',
      'host=a.b,*.c',
      'net=10.0.0.0/8',
      'price=1000msat',
      'rate=10/60',
      'depth=2',
      'purpose=why not',
    ],
  )
})

test('two hand-offs to the same name differ', () => {
  assert.match(Caveat.link('bot').text, /^link=bot#[a-z2-7]{16}$/)
  assert.notEqual(Caveat.link('bot').text, Caveat.link('bot').text)
})

test('constructors refuse what they could not write', () => {
  refuses('CAVEAT_MALFORMED', () => Caveat.services({}))
  refuses('CAVEAT_MALFORMED', () => Caveat.services({ 'a,b:1': 0 }))
  refuses('CAVEAT_MALFORMED', () => Caveat.verb())
  refuses('CAVEAT_MALFORMED', () => Caveat.path('/a,/b', '/b'))
  refuses('CAVEAT_MALFORMED', () => Caveat.uses(-1))
  refuses('CAVEAT_MALFORMED', () => Caveat.uses(1.5))
  refuses('CAVEAT_MALFORMED', () => Caveat.expires(new Date(-1000)))
  refuses('CAVEAT_MALFORMED', () => Caveat.budget('9007199254741 sat'))
  refuses('CAVEAT_MALFORMED', () => Caveat.link('Bot'))
  refuses('CAVEAT_UNKNOWN', () => Caveat.validUntil('a=b', new Date(0)))
  refuses('AMOUNT_INVALID', () => Caveat.budget('5'))
  assert.throws(() => Caveat.expires(new Date(Number.NaN)), TypeError)
  assert.throws(() => Caveat.meet(Caveat.uses(1), Caveat.verb('GET')), TypeError)
  assert.throws(() => Caveat.witness(Caveat.uses(1), Caveat.verb('GET')), TypeError)
})

test('narrowing, with something that shows it when it is not', () => {
  const table: [inner: string, outer: string, witness: string | undefined][] = [
    ['services=a:0', 'services=a:0,b:0', undefined],
    ['services=a:9', 'services=a:0', 'service a:9'],
    ['a_valid_until=1', 'a_valid_until=2', undefined],
    ['a_valid_until=2', 'a_valid_until=1', 'the time 1970-01-01T00:00:01.000Z'],
    ['a_capabilities=read', 'a_capabilities=read,list', undefined],
    ['a_capabilities=read', 'a_capabilities=list', 'capability read'],
    ['expires=9007199254740991', 'expires=9007199254740990', 'the time 9007199254740990'],
    ['after=5', 'after=5', undefined],
    ['after=4', 'after=5', 'the time 1970-01-01T00:00:04.000Z'],
    ['verb=HEAD', 'verb=GET,HEAD', undefined],
    ['verb=GET,PUT', 'verb=GET,HEAD', 'method PUT'],
    ['path=/a/*', 'path=/a/b', 'path /a/x'],
    ['uses=5', 'uses=4', 'use number 5'],
    ['budget=5msat', 'budget=4msat', 'spending 5 msat'],
    [`preimage=${'00'.repeat(32)}`, `preimage=${'11'.repeat(32)}`, 'another preimage'],
    ['link=a#aaaaaaaa', 'link=b#aaaaaaaa', undefined],
    ['aud=a,b', 'aud=a', 'verifier b'],
    ['host=*.a.b', 'host=*.b', undefined],
    ['host=*.b', 'host=*.a.b', 'host x.b'],
    ['net=10.0.0.0/8', 'net=10.0.0.0/9', 'the address 10.128.0.0'],
    ['in:q.a=x,y%2C', 'in:q.a=x', 'query parameter a y%2C'],
    ['max:b./a=5', 'max:b./a=4', '/a in the body 5'],
    ['min:b./a=5', 'min:b./a=6', '/a in the body 5'],
    ['none:b./a=1', 'none:b./a=1', undefined],
    [`body=${'00'.repeat(32)}`, `body=${'11'.repeat(32)}`, 'another body'],
    ['price=5msat', 'price=4msat', 'a price of 5 msat'],
    ['rate=10/60', 'rate=9/60', 'request number 10 within 60 s'],
    ['rate=10/60', 'rate=600/3600', 'a rate per 60 s, not compared with one per 3600 s'],
    ['depth=2', 'depth=1', 'link number 2'],
    ['purpose=a', 'purpose=b', undefined],
  ]
  for (const [inner, outer, witness] of table)
    assert.equal(Caveat.witness(Caveat.parse(inner), Caveat.parse(outer)), witness, `${inner} in ${outer}`)
})

test('the meet of two', () => {
  const table: [string, string, string | undefined][] = [
    ['services=a:0,b:0', 'services=b:0,c:0', 'services=b:0'],
    ['services=a:0', 'services=a:1', undefined],
    ['a_valid_until=1', 'a_valid_until=2', 'a_valid_until=1'],
    ['a_capabilities=read,list', 'a_capabilities=list', 'a_capabilities=list'],
    ['a_capabilities=read', 'a_capabilities=list', undefined],
    ['expires=1', 'expires=2', 'expires=1'],
    ['after=1', 'after=2', 'after=2'],
    ['verb=GET,HEAD', 'verb=PUT,HEAD', 'verb=HEAD'],
    ['verb=GET', 'verb=PUT', undefined],
    ['path=/a/**', 'path=/*/b,/c', 'path=/a/b'],
    ['path=/a', 'path=/b', undefined],
    ['uses=3', 'uses=5', 'uses=3'],
    ['uses=3', 'uses=0', undefined],
    ['budget=3msat', 'budget=2msat', 'budget=2msat'],
    ['profile=dlg1', 'profile=dlg1', 'profile=dlg1'],
    [`preimage=${'00'.repeat(32)}`, `preimage=${'11'.repeat(32)}`, undefined],
    ['link=a#aaaaaaaa', 'link=b#aaaaaaaa', 'link=b#aaaaaaaa'],
    ['host=*.a,b', 'host=x.a,c', 'host=x.a'],
    ['net=10.0.0.0/8,::/0', 'net=10.1.0.0/16,192.168.0.0/16', 'net=10.1.0.0/16'],
    ['in:q.a=x,y', 'in:q.a=y,z', 'in:q.a=y'],
    ['in:q.a=x', 'in:q.a=y', undefined],
    ['max:q.a=5', 'max:q.a=4', 'max:q.a=4'],
    ['min:q.a=5', 'min:q.a=4', 'min:q.a=5'],
    ['price=5msat', 'price=0msat', 'price=0msat'],
    ['rate=10/60', 'rate=5/60', 'rate=5/60'],
    ['depth=0', 'depth=5', 'depth=0'],
    ['purpose=a', 'purpose=b', 'purpose=b'],
  ]
  for (const [a, b, meet] of table)
    assert.equal(Caveat.meet(Caveat.parse(a), Caveat.parse(b))?.text, meet, `${a} and ${b}`)
})

test('rates over different periods cannot be brought together', () => {
  refuses('CAVEAT_WIDENS', () => Caveat.meet(Caveat.parse('rate=10/60'), Caveat.parse('rate=5/30')))
})

test('arbitrary and mutated text: only TallyError comes out, and what parses has this one spelling', () => {
  const edit = fc.tuple(fc.nat(200), fc.string({ maxLength: 2 }), fc.nat(3))
  const mutated = fc
    .tuple(fc.constantFrom(...good), fc.array(edit, { maxLength: 2 }))
    .map(([text, edits]) =>
      edits.reduce(
        (text, [at, insert, drop]) => text.slice(0, at % text.length) + insert + text.slice((at % text.length) + drop),
        text,
      ),
    )
  fc.assert(
    fc.property(fc.oneof({ weight: 3, arbitrary: mutated }, fc.string({ unit: 'binary' })), (text) => {
      try {
        const { key, room, value } = Caveat.parse(text)
        assert.equal(`${key}=${room.format(value)}`, text)
      } catch (error) {
        if (!TallyError.is(error)) throw error
      }
    }),
    { numRuns },
  )
})

test('what is written alike is kept once, what is secret is not kept, and a vocabulary of its own is asked', () => {
  assert.equal(Caveat.parse('path=/v1/**'), Caveat.parse('path=/v1/**'))
  const secret = `preimage=${'ab'.repeat(32)}`
  assert.notEqual(Caveat.parse(secret), Caveat.parse(secret))
  const nothing = { find: () => undefined }
  assert.throws(() => Caveat.parse('path=/v1/**', nothing), { code: 'CAVEAT_UNKNOWN' })
})
