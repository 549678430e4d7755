/** How arguments are found: whatever two parsers might read differently refuses. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { msats } from '../Amount.ts'
import * as Body from '../Body.ts'
import { utf8 } from '../bytes.ts'
import * as Caveat from '../Caveat.ts'
import { TallyError } from '../errors.ts'
import { argument, parseSelector, type Argument } from './selector.ts'
import type { Action } from './Room.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)
const plain: Action = { service: 'a', verb: 'GET', path: '/', cost: msats(0n), now: new Date(0) }

const json = (text: string, contentType = 'application/json'): Body.Body => Body.from(utf8(text), { contentType })
const told = (found: Argument): string =>
  found.is === 'value' ? `${found.text}/${found.int ?? '-'}` : found.is === 'absent' ? 'absent' : found.why
const query = (selector: string, text: string): string =>
  told(argument(parseSelector(selector), { ...plain, query: text }))
const body = (selector: string, text: string, type?: string): string =>
  told(argument(parseSelector(selector), { ...plain, body: json(text, type) }))

test('a selector has one spelling', () => {
  for (const text of [
    'q.page',
    'q.a%20b',
    'q.a%5B%5D',
    'q.%C3%A9',
    'q.a.b',
    'b./model',
    'b./a/0/b~1c',
    'b./',
    'b./a%2Cb',
  ])
    assert.equal(parseSelector(text).text, text)
  assert.deepEqual(parseSelector('b./a~1b/~0/c%25').tokens, ['a/b', '~', 'c%'])
  const bad = [
    '',
    'q',
    'q.',
    'x.page',
    'b.',
    'b.model',
    'q.a=b',
    'q.a b',
    'q.a%2',
    'q.a%5b',
    'q.%61',
    'q.a+b',
    'q.%00',
    'q.%FF',
  ]
  for (const text of [...bad, 'b./a~', 'b./a~2', 'b./a%2Fb', 'b./%0A', 'q.a/b', "q.a'b", 'q.a(b)', 'q.é'])
    assert.throws(() => parseSelector(text), TallyError, text)
})

test('in the query: once, in one spelling, by any parser', () => {
  const table: [string, string][] = [
    ['n=5', '5/5'],
    ['m=1&n=5&', '5/5'],
    ['n=', '/-'],
    ['n', '/-'],
    ['n=05', '05/-'],
    ['n=-5', '-5/-'],
    ['n=9007199254740992', '9007199254740992/-'],
    ['n=%C3%A9=', 'é=/-'],
    ['', 'absent'],
    ['m=n', 'absent'],
    ['nn=1', 'absent'],
    ['n=1&n=2', 'query parameter n is there twice'],
    ['n=1&n', 'query parameter n is there twice'],
    ['n=1&%6E=2', 'query parameter n is there twice'],
    ['N=1', 'query parameter n is spelled in another way'],
    ['n=1&N=2', 'query parameter n is spelled in another way'],
    ['n[]=1', 'query parameter n is spelled in another way'],
    ['n[a]=1&n=2', 'query parameter n is spelled in another way'],
    ['+n=1', 'query parameter n is spelled in another way'],
    ['%20n=1', 'query parameter n is spelled in another way'],
    ['n=1;m=2', 'the query has a `;`, which some servers take for `&`'],
    ['n=a+b', 'a `+` in the query may mean a blank or a plus: %20 and %2B are clear'],
    ['n=%FF', 'query parameter n is not UTF-8'],
    ['%FF=1', 'the query has a name that is not text'],
    ['n%00x=1', 'the query has a name that is not text'],
    ['%=1', 'the query has a name that is not text'],
  ]
  for (const [text, expected] of table) assert.equal(query('q.n', text), expected, text)
  assert.equal(query('q.a.b', 'a_b=1'), 'query parameter a.b is spelled in another way')
  assert.equal(query('q.a%20b', 'a+b=1'), 'query parameter a%20b is spelled in another way')
  assert.equal(query('q.a%20b', 'a%20b=1'), '1/1')
  assert.equal(query('q.a%5B%5D', 'a%5B%5D=1'), '1/1')
  assert.equal(query('q.a%5B%5D', 'a[]=1&a[]=2'), 'query parameter a%5B%5D is there twice')
  assert.equal(told(argument(parseSelector('q.n'), plain)), 'the query is not known')
})

test('in the body: by a JSON pointer, in one spelling', () => {
  const table: [string, string, string][] = [
    ['b./n', '{"n":5}', '5/5'],
    ['b./n', '{"n":"5"}', '5/-'],
    ['b./n', '{"n":-5}', '-5/-'],
    ['b./n', '{"m":5}', 'absent'],
    ['b./n', '[]', 'absent'],
    ['b./n', '"n"', 'absent'],
    ['b./n', '', 'absent'],
    ['b./n/m', '{"n":5}', 'absent'],
    ['b./n', '{"n":null}', '/n in the body is neither text nor a whole number'],
    ['b./n', '{"n":5.0}', '/n in the body is neither text nor a whole number'],
    ['b./n', '{"n":{}}', '/n in the body is neither text nor a whole number'],
    ['b./n', '{"n":true}', '/n in the body is neither text nor a whole number'],
    ['b./n', '{"N":5}', '/n in the body is spelled in another way'],
    ['b./n', '{"n":5,"N":6}', '/n in the body is spelled in another way'],
    ['b./a/n', '{"a":{"n":5},"A":{"n":6}}', '/a/n in the body is spelled in another way'],
    ['b./tasks', String.raw`{"ta\u017Fks":5}`, '/tasks in the body is spelled in another way'],
    ['b./key', String.raw`{"\u212Aey":5}`, '/key in the body is spelled in another way'],
    ['b./n', '{"n":5,"n":6}', 'the JSON has a key twice in one object, before character 10'],
    ['b./a/1/n', '{"a":[1,{"n":7}]}', '7/7'],
    ['b./a/01', '{"a":[1,2]}', 'absent'],
    ['b./a/-', '{"a":[1,2]}', 'absent'],
    ['b./a/2', '{"a":[1,2]}', 'absent'],
    ['b./a/length', '{"a":[1,2]}', 'absent'],
    ['b./__proto__', '{}', 'absent'],
    ['b./__proto__', '{"__proto__":5}', '5/5'],
    ['b./toString', '{}', 'absent'],
    ['b./a~1b', '{"a/b":5}', '5/5'],
    ['b./', '{"":5}', '5/5'],
  ]
  for (const [selector, text, expected] of table) assert.equal(body(selector, text), expected, `${selector} ${text}`)
  assert.equal(told(argument(parseSelector('b./n'), plain)), 'the body is not known')
})

test('a body is read only where its content type says JSON', () => {
  const good = [
    'application/json',
    'Application/JSON; charset=UTF-8',
    'application/problem+json',
    'application/json;charset="utf-8"',
  ]
  for (const type of good) assert.equal(body('b./n', '{"n":5}', type), '5/5', type)
  const bad = [
    '',
    'text/json',
    'application/json; charset=latin1',
    'application/x-www-form-urlencoded',
    'application/jsonx',
    'json',
  ]
  for (const type of bad) assert.equal(body('b./n', '{"n":5}', type), 'the content type of the body is not JSON', type)
  const unknown = Body.from(utf8('{"n":5}'), { contentType: undefined })
  assert.equal(
    told(argument(parseSelector('b./n'), { ...plain, body: unknown })),
    'the content type of the body is not JSON',
  )
})

test('each of the four, on arguments of every kind', () => {
  const allowed = (caveat: string, action: Partial<Action>): boolean => {
    const { room, value } = Caveat.parse(caveat)
    return room.refusal(value, { ...plain, ...action }) === undefined
  }
  const table: [string, string[], string[]][] = [
    ['in:q.n=1,x%2Cy', ['n=1', 'n=x%2Cy', 'n=x,y'], ['n=2', '', 'n=', 'n=01', 'n=1&n=1']],
    ['max:q.n=5', ['n=5', 'n=0'], ['n=6', 'n=-1', 'n=05', 'n=x', '', 'n=']],
    ['min:q.n=5', ['n=5', 'n=9007199254740991'], ['n=4', 'n=9007199254740992', '']],
    ['none:q.n=1', ['', 'm=1', 'nn=1'], ['n=1', 'n', 'N=1', 'n[]=1', 'a=1;n=1']],
  ]
  for (const [caveat, yes, no] of table) {
    for (const query of yes) assert.ok(allowed(caveat, { query }), `${caveat} ${query}`)
    for (const query of no) assert.ok(!allowed(caveat, { query }), `${caveat} ${query}`)
    assert.ok(!allowed(caveat, {}), `${caveat} without a query that is known`)
  }
  assert.ok(allowed('max:b./n=5', { body: json('{"n":5}') }))
  assert.ok(!allowed('max:b./n=5', { body: json('{"n":"5"}') }), 'text is no number')
  assert.ok(!allowed('max:b./n=5', { body: json('{"n":-1}') }), 'to some services -1 is no limit at all')
  assert.ok(allowed('in:b./n=5', { body: json('{"n":"5"}') }))
  assert.ok(!allowed('none:b./n=1', { body: json('{"n":null}') }))
  assert.ok(allowed('none:b./n=1', { body: json('') }))
})

test('fuzz: any query and body is read without anything but an argument coming out', () => {
  const text = fc.oneof(fc.webQueryParameters(), fc.string({ unit: 'binary' }), fc.json())
  const selector = fc.constantFrom('q.n', 'q.a%20b', 'b./n', 'b./a/0', 'b./__proto__').map(parseSelector)
  fc.assert(
    fc.property(selector, text, (selector, text) => {
      assert.equal(typeof told(argument(selector, { ...plain, query: text, body: json(text) })), 'string')
    }),
    { numRuns },
  )
})
