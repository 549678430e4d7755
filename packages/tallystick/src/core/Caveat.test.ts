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
    'expires=1\n',
    'expires=1\u0000',
    'vérb=GET',
  ]
  for (const text of bad) refuses('CAVEAT_MALFORMED', () => Caveat.parse(text))
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
  ]
  for (const [a, b, meet] of table)
    assert.equal(Caveat.meet(Caveat.parse(a), Caveat.parse(b))?.text, meet, `${a} and ${b}`)
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
