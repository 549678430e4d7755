import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { sats, TallyError } from 'tallystick/core'
import { loadConfig, readSecret } from './config.ts'
import { configDocument } from './config/document.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)
const example = readFileSync(join(import.meta.dirname, '../../../examples/tally.yaml'), 'utf8')

/** The lines a person would read. */
function mistakes(text: string): readonly string[] {
  try {
    loadConfig(text, 'tally.yaml')
  } catch (error) {
    assert.ok(TallyError.is(error) && error.code === 'CONFIG_INVALID', String(error))
    assert.equal(error.details['mistakes'], error.message)
    return error.message.split('\n')
  }
  return []
}

/** A file with one service `a` and the given routes, which begin on line 5. */
const withRoutes = (...routes: readonly string[]): string =>
  [
    'lightning: sim',
    'services:',
    '  a:',
    '    upstream: http://h',
    '    routes:',
    ...routes.map((line) => `      ${line}`),
  ].join('\n')

test('the example says what it seems to say', () => {
  const config = loadConfig(example, '/srv/tally.yaml')
  assert.deepEqual(config.listen, { host: '127.0.0.1', port: 8402 })
  assert.equal(config.state, resolve('/srv/.tally'))
  assert.deepEqual(config.store, { kind: 'sqlite', path: resolve('/srv/.tally/tally.db') })
  assert.deepEqual(config.lightning, { kind: 'embedded' })
  assert.equal(config.key, undefined)
  assert.deepEqual(
    config.services.map(({ name, upstreams, timeouts }) => [name, upstreams.map(({ origin }) => origin), timeouts]),
    [
      ['qr', ['http://127.0.0.1:3000'], { connect: 5, firstByte: 30, idle: 60, total: undefined }],
      ['search', ['https://search.example.com'], { connect: 5, firstByte: 60, idle: 60, total: undefined }],
    ],
  )
  const offers = config.services.flatMap(({ routes }) =>
    routes.map(({ key, offer }) => [key, offer?.price, offer?.mode, offer?.lifetime]),
  )
  const day = 86_400
  assert.deepEqual(offers, [
    ['GET /health', undefined, undefined, undefined],
    ['GET /qr/**', sats(10), { kind: 'uses', uses: 1 }, 30 * day],
    ['POST /batch', sats(5), { kind: 'uses', uses: 100 }, 30 * day],
    ['POST,PUT /reports/*', sats(50), { kind: 'uses', uses: 1 }, 3600],
    ['GET /stream', sats(1000), { kind: 'pass' }, day],
    ['GET /search/**', 1500n, { kind: 'budget', amount: sats(500) }, 30 * day],
  ])
  assert.deepEqual(config.services[0]!.routes[1]!.verbs, ['GET', 'HEAD'])
})

test('paths are relative to the file, and defaults follow `state`', () => {
  const text = withRoutes('GET /: free')
  const config = loadConfig(`state: ../s\nstore: sqlite:../x.db\nkey: file:k\n${text}`, '/srv/etc/tally.yaml')
  assert.equal(config.state, resolve('/srv/s'))
  assert.deepEqual(config.store, { kind: 'sqlite', path: resolve('/srv/x.db') })
  assert.deepEqual(config.key, { kind: 'file', path: resolve('/srv/etc/k') })
  assert.deepEqual(loadConfig(`key: env:TALLY_KEY\nstore: memory\n${text}`, 't').key, {
    kind: 'env',
    name: 'TALLY_KEY',
  })
  assert.deepEqual(loadConfig(`listen: "[::1]:0"\n${text}`, 't').listen, { host: '::1', port: 0 })
})

test('a database that is shared is named without its password, with TLS unless it is this machine', () => {
  const text = `key: env:K\n${withRoutes('GET /: free')}`
  const load = (store: string) => loadConfig(`store: ${store}\n${text}`, '/srv/tally.yaml').store
  const common = { kind: 'postgres', port: 5432, user: 'tally', database: 'shop' }
  assert.deepEqual(load('postgres://tally@db.example/shop'), { ...common, host: 'db.example', tls: 'verify' })
  assert.deepEqual(load('postgresql://tally@[::1]:6432/shop'), { ...common, host: '::1', port: 6432, tls: 'off' })
  const socket = { ...common, host: '/var/run/postgresql', tls: 'off' }
  assert.deepEqual(load('postgres://tally@/shop?host=/var/run/postgresql'), socket)
  assert.deepEqual(load('{ postgres: "postgres://tally@db/shop", password: file:pw, ca: ./ca.pem }'), {
    ...common,
    host: 'db',
    tls: 'verify',
    password: { kind: 'file', path: resolve('/srv/pw') },
    ca: resolve('/srv/ca.pem'),
  })
  assert.deepEqual(load('{ postgres: "postgres://tally@db/shop", tls: off }'), { ...common, host: 'db', tls: 'off' })

  const wrong = (store: string): readonly string[] => mistakes(`store: ${store}\n${text}`)
  const address = 'tally.yaml:1:8 store: expected an address like "postgres://user@host/database"'
  for (const store of [
    'postgres://db/shop',
    'postgres://tally@/shop',
    'postgres://tally@db',
    'postgres://t@db:99999/x',
  ])
    assert.deepEqual(wrong(store), [address])
  assert.match(
    wrong('postgres://tally:hunter2@db/shop')[0]!,
    /^tally.yaml:1:8 store: expected no password in an address/,
  )
  assert.match(
    wrong('{ postgres: "postgres://t@db/x", password: hunter2 }')[0]!,
    /^tally.yaml:1:\d+ password: expected a ref/,
  )
  assert.match(wrong('{ postgres: "postgres://t@db/x", passwort: env:P }')[0]!, /did you mean `password`\?/)
  assert.match(wrong('{ password: env:P }')[0]!, /postgres: is missing; expected an address/)
  assert.match(wrong('7')[0]!, /store: expected "sqlite:/)
  assert.match(
    mistakes(`store: postgres://tally@db/shop\n${withRoutes('GET /: free')}`)[0]!,
    /^tally.yaml:1:8 store: shared by gateways, so give all of them the same `key`/,
  )
})

test('services and routes keep the order of the file, also those whose names look like numbers', () => {
  const service = '{ upstream: http://h, routes: { GET /x: free } }'
  const text = `lightning: sim\nservices:\n  b: ${service.replace('/x', '/b')}\n  42: ${service.replace('/x', '/c')}\n  a: ${service}\n`
  assert.deepEqual(
    loadConfig(text, 't').services.map(({ name }) => name),
    ['b', '42', 'a'],
  )
})

test('anchors work, and are bounded', () => {
  const text = withRoutes('GET /a: &price 10 sat', 'POST /a: *price')
  assert.equal(loadConfig(text, 't').services[0]!.routes[1]!.offer?.price, sats(10))
  const shared =
    'lightning: sim\nservices:\n  a: { upstream: http://h, routes: &r { GET /a: free } }\n  b: { upstream: http://g, routes: *r }\n'
  assert.deepEqual(mistakes(shared), [
    'tally.yaml:3:41 GET /a: never reached: earlier routes match everything this one would',
  ])
  assert.match(mistakes(`a: &x [1]\nb: [${'*x,'.repeat(101)}]`)[0]!, /aliases/)
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefghi'.split('').map((c, i) => `${c}: &${c} [${`*${'abcdefgh'[i]},`.repeat(9)}]`),
  ].join('\n')
  assert.match(mistakes(bomb)[0]!, /aliases/)
})

test('every mistake is named at once, in the order of the file, at its line and column', () => {
  const text = `lighting: sim
listen: 8402
store: postgres
services:
  QR:
    upstream: http://127.0.0.1:3000/base
    upstreams: 1
    routes:
      GET health: free
      GET /qr/**: 10
      GET /a: 0 sat
      GET /b: fee
      POST /x: { price: 50, uses: 0, bugdet: 4 sat }
      POST /y: { price: 50 sat, pass: 5x }
      POST /z: { uses: 1, budget: 4 sat }
      POST /n:
      GET /a/../b: 1 sat
`
  assert.deepEqual(mistakes(text), [
    'tally.yaml:1:1 lightning: is missing; expected `embedded`, `sim`, or a map with `lnd` or `phoenixd`',
    'tally.yaml:1:1 lighting: unknown key; did you mean `lightning`?',
    'tally.yaml:2:9 listen: expected an address and a port like "127.0.0.1:8402"',
    'tally.yaml:3:8 store: expected "sqlite:./path/to.db", "postgres://user@host/database" or "memory"',
    'tally.yaml:5:3 QR: expected a name of up to 64 lower-case letters, digits, ".", "_" and "-"',
    'tally.yaml:6:15 upstream: expected an origin like "http://127.0.0.1:3000" or "https://api.example.com", without a path',
    'tally.yaml:7:5 upstreams: unknown key; did you mean `upstream`?',
    'tally.yaml:9:7 GET health: expected methods and a path like "GET /qr/**" or "POST,PUT /reports"',
    'tally.yaml:10:19 GET /qr/**: expected `free`, an amount like "10 sat", or a map with `price`',
    'tally.yaml:11:15 GET /a: expected more than zero; a route without a price is `free`',
    'tally.yaml:12:15 GET /b: expected an amount like "10 sat"',
    'tally.yaml:13:25 price: expected `free`, an amount like "10 sat", or a map with `hook`, `module` or `metered`',
    'tally.yaml:13:35 uses: expected a whole number of calls, 1 or more',
    'tally.yaml:13:38 bugdet: unknown key; did you mean `budget`?',
    'tally.yaml:14:39 pass: expected a duration like "30s", "5m", "1h" or "30d"',
    'tally.yaml:15:7 price: is missing; expected `free`, an amount like "10 sat", or a map with `hook`, `module` or `metered`',
    'tally.yaml:16:7 POST /n: expected `free`, an amount like "10 sat", or a map with `price`',
    'tally.yaml:17:7 GET /a/../b: path pattern "/a/../b": it is not a path in canonical form',
  ])
})

test('keys that contradict each other', () => {
  const of = (terms: string): readonly string[] =>
    mistakes(withRoutes(`GET /: { price: 10 sat, ${terms} }`)).map((line) => line.split(' ').slice(1).join(' '))
  assert.deepEqual(of('uses: 2, budget: 20 sat, pass: 1h'), [
    'budget: conflicts with `uses`: a route sells one of uses, budget, pass',
    'pass: conflicts with `uses`: a route sells one of uses, budget, pass',
  ])
  assert.deepEqual(of('budget: 9 sat'), ['budget: expected at least the price of one call'])
  assert.deepEqual(of('pass: 1h, expires: 2h'), ['expires: conflicts with `pass`, which says how long it lasts'])
  assert.deepEqual(of('uses: 900719925474099'), ['uses: price × uses is more than there can be'])
  assert.deepEqual(of('uses: 1.5'), ['uses: expected a whole number of calls, 1 or more'])
})

test('a route that an earlier one leaves nothing is a mistake', () => {
  const dead = 'never reached: earlier routes match everything this one would'
  assert.deepEqual(mistakes(withRoutes('GET /**: free', 'GET /a: 10 sat')), [`tally.yaml:7:7 GET /a: ${dead}`])
  assert.deepEqual(mistakes(withRoutes('GET /a/*: free', 'GET /a/*/**: free', 'GET /a/: free', 'GET /a/**: 1 sat')), [
    `tally.yaml:9:7 GET /a/**: ${dead}`,
  ])
  assert.deepEqual(mistakes(withRoutes('GET /a: free', 'HEAD /a: 10 sat')), [`tally.yaml:7:7 HEAD /a: ${dead}`])
  assert.deepEqual(mistakes(withRoutes('GET /a: 10 sat', 'GET,POST /a: free', 'GET /**: free')), [])
})

test('YAML that is not accepted', () => {
  assert.deepEqual(mistakes(''), ['tally.yaml:1:1 expected a map of keys'])
  assert.deepEqual(mistakes('- a'), ['tally.yaml:1:1 expected a map of keys'])
  assert.deepEqual(mistakes('a: 1\na: 2'), ['tally.yaml:2:1 this key is there twice'])
  assert.deepEqual(mistakes('---\na: 1\n---\nb: 2'), ['tally.yaml:3:1 expected one document, found `---` and another'])
  assert.deepEqual(mistakes('? [a]\n: b'), ['tally.yaml:1:3 expected a plain text key'])
  assert.match(mistakes('a: ['.repeat(50_000))[0]!, /nested too deeply/)
  assert.deepEqual(mistakes(`a: ${'x'.repeat(1 << 20)}`), ['tally.yaml:1:1 the file is over 1 MiB'])
  assert.match(mistakes('a: *nothing')[0]!, /refers to nothing/)
})

test('a secret in the wrong place is refused and not repeated', () => {
  const secret = 'a1'.repeat(32)
  const base = withRoutes('GET /: free')
  const reference = 'key: expected a reference, "env:NAME" or "file:path": a secret is never written into this file'
  assert.deepEqual(mistakes(`key: ${secret}\n${base}`), [`tally.yaml:1:6 ${reference}`])
  assert.deepEqual(mistakes(`key: ${'1'.repeat(64)}\n${base}`), [`tally.yaml:1:6 ${reference}`])
  assert.match(mistakes(base.replace('http://h', `http://user:${secret}@h`))[0]!, /without user and password/)
  for (const text of [
    `key: !x ${secret}`,
    `key: "${secret}`,
    `key: [${secret}`,
    `key: {${secret}`,
    `key: &${secret}`,
    `key:\n\t${secret}`,
    `listen: ${secret}`,
    `store: ${secret}`,
    `state: { ${secret}: 1 }`,
  ])
    assert.doesNotMatch(
      mistakes(`${text}\n${base}`).join('\n').replaceAll(`${secret}: unknown key`, ''),
      new RegExp(secret),
      text,
    )
})

test('a reference is read where it points, and an empty secret is no secret', () => {
  assert.equal(readSecret({ kind: 'env', name: 'A' }, { A: ' s \n' }), 's')
  assert.throws(() => readSecret({ kind: 'env', name: 'A' }, {}), { code: 'CONFIG_INVALID', message: /variable A/ })
  assert.throws(() => readSecret({ kind: 'file', path: '/nonexistent/k' }), {
    code: 'CONFIG_INVALID',
    message: /ENOENT/,
  })
})

test('every key of the schema is in the page about it', () => {
  const page = configDocument()
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  assert.ok(rows.length >= 17 && rows.every((row) => /^\| `[^`]+` \| [^|]* \| \S.* \|$/.test(row)), page)
  for (const key of [
    'listen',
    'services.NAME.timeouts.first_byte',
    'services.NAME.tls.ca',
    'services.NAME.routes.ROUTE.budget',
  ])
    assert.ok(page.includes(`| \`${key}\` |`), key)
})

function onlyTallyError(text: string): void {
  try {
    loadConfig(text, 'tally.yaml')
  } catch (error) {
    if (!TallyError.is(error)) throw error
    for (const line of error.message.split('\n')) assert.match(line, /^tally\.yaml:\d+:\d+ /)
  }
}

test('arbitrary text: only TallyError comes out, always with line and column', () => {
  const token = fc.constantFrom(
    'lightning',
    'sim',
    'services',
    'routes',
    'GET /',
    ':',
    ' ',
    '\n',
    '  ',
    '- ',
    '{',
    '}',
    '[',
    ']',
    '&a',
    '*a',
    '"',
    "'",
    '!',
    '|',
    '>',
    '#',
    '%',
    '?',
    ',',
    '<<',
    '__proto__',
    '\t',
    '---',
    '~',
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(token, { maxLength: 40 }).map((tokens) => tokens.join('')),
  )
  fc.assert(fc.property(text, onlyTallyError), { numRuns })
})

test('a damaged example: only TallyError comes out', () => {
  const at = fc.nat({ max: example.length })
  fc.assert(
    fc.property(at, fc.nat({ max: 20 }), fc.string({ maxLength: 8 }), (start, removed, added) =>
      onlyTallyError(example.slice(0, start) + added + example.slice(start + removed)),
    ),
    { numRuns },
  )
})

test('any value under any key: only TallyError comes out', () => {
  const scalar = fc.constantFrom(null, true, 0, 1, -1, '', 'free', '10 sat', '5m', 'http://h', 'env:A', 'sim', [], {})
  const terms = fc.dictionary(fc.constantFrom('price', 'uses', 'budget', 'pass', 'expires', 'x', '__proto__'), scalar, {
    maxKeys: 4,
  })
  const routes = fc.dictionary(
    fc.constantFrom('GET /', 'POST /a/**', 'toString', 'GET /%2e'),
    fc.oneof(scalar, terms),
    { maxKeys: 3 },
  )
  const service = fc.record(
    { upstream: scalar, routes: fc.oneof(scalar, routes), timeouts: scalar, health: scalar, tls: scalar },
    { requiredKeys: [] },
  )
  const services = fc.dictionary(fc.constantFrom('a', '1', 'constructor', 'A'), service, { maxKeys: 2 })
  const file = fc.record({
    listen: scalar,
    lightning: scalar,
    services: fc.oneof(services, scalar),
    key: scalar,
    state: scalar,
  })
  fc.assert(
    fc.property(file, (value) => onlyTallyError(JSON.stringify(value))),
    { numRuns },
  )
})

test('grants, requires and origin: what a route mints, what it asks, and how clients know us', () => {
  const at = (more: string, route: string, top = ''): string =>
    `${top}lightning: sim\nservices:\n  a:\n    upstream: http://127.0.0.1:1\n${more}    routes:\n      GET /x/**: ${route}\n`
  const offerOf = (text: string) => loadConfig(text, 't').services[0]!.routes[0]!.offer!
  const { grants, requires } = offerOf(
    at(
      '    grants: [rate=10/60]\n    requires: seal\n',
      '{ price: 1 sat, grants: [net=client, "max:q.n=5"], requires: key }',
    ),
  )
  assert.deepEqual([grants, requires], [['rate=10/60', 'net=client', 'max:q.n=5'], 'key'])
  assert.deepEqual(
    Object.keys(offerOf(at('', '1 sat'))).filter((key) => key === 'grants' || key === 'requires'),
    [],
  )
  assert.equal(loadConfig(at('', '1 sat', 'origin: https://api.example.com\n'), 't').origin, 'https://api.example.com')

  const mistakes: [string, RegExp][] = [
    [
      at('    grants: [colour=red]\n', '1 sat'),
      /^t:5:13 grants: caveat `colour=red`: the vocabulary dlg1 has no such key$/,
    ],
    [
      at('    grants: [uses=5]\n', '1 sat'),
      /^t:5:13 grants: expected a caveat that is not sold or required by keys of their own/,
    ],
    [at('    grants: rate=1/1\n', '1 sat'), /^t:5:13 grants: expected a list of caveats like/],
    [at('    requires: sealed\n', '1 sat'), /^t:5:15 requires: expected `seal` or `key`$/],
    [at('', '{ price: 1 sat, grants: [path=/y] }'), /^t:6:18 GET \/x\/\*\*: its grants: .*it would allow path \/y/],
    [at('', '1 sat', 'origin: https://api.example.com/v1\n'), /^t:1:9 origin: expected an origin like/],
    [at('', '1 sat', 'origin: https://api.example.com:443\n'), /^t:1:9 origin: expected an origin like/],
  ]
  for (const [text, expected] of mistakes)
    assert.throws(
      () => loadConfig(text, 't'),
      (error: Error) => {
        assert.match(error.message, expected)
        return true
      },
    )
})

test('what can be reached from outside says under which name', () => {
  const text = (listen: string, more = ''): string =>
    `listen: "${listen}"\n${more}lightning: sim\nservices: { a: { upstream: "http://127.0.0.1:1", routes: { GET /**: free } } }\n`
  assert.throws(() => loadConfig(text('0.0.0.0:8402'), 'tally.yaml'), {
    code: 'CONFIG_INVALID',
    message: /^tally\.yaml:1:9 listen: reachable from outside, so say how clients call it/,
  })
  assert.equal(loadConfig(text('0.0.0.0:8402', 'origin: https://a.example\n'), 'x').origin, 'https://a.example')
  for (const listen of ['127.0.0.1:1', '127.8.0.1:1', 'localhost:1', '[::1]:1'])
    assert.equal(loadConfig(text(listen), 'x').origin, undefined)
})

test('every way to price is read', () => {
  const services = loadConfig(
    `lightning: sim
invoices: { per_client: 10/min }
services:
  llm:
    upstream: http://127.0.0.1:3000
    rate: 600/min
    routes:
      GET /health: { price: free, rate: 5/s }
      GET /models: free
      GET /tile/**: { price: { hook: "http://127.0.0.1:9000/price", max: 100 sat, timeout: 2s, headers: [X-Tier] } }
      GET /map/**: { price: { module: ./price.mjs, max: 100 sat }, uses: 5, free: { per_client: 3/day, total: 1000/day } }
      POST /v1/**:
        price: { metered: { estimate: 100 sat, max: 200 sat, report: body /usage/total_tokens, per: 5 sat/1000 } }
        budget: 5000 sat
        shadow: true
`,
    '/etc/tally/tally.yaml',
  )
  const [health, models, tile, map, chat] = services.services[0]!.routes
  assert.deepEqual(services.invoices, { perClient: { count: 10, seconds: 60 }, total: { count: 1000, seconds: 60 } })
  assert.deepEqual([health!.offer, health!.rate], [undefined, { count: 5, seconds: 1, of: 'route' }])
  assert.deepEqual(models!.rate, { count: 600, seconds: 60, of: 'service' })
  assert.deepEqual(tile!.priceFrom, {
    kind: 'hook',
    url: 'http://127.0.0.1:9000/price',
    max: 100_000n,
    timeout: 2000,
    headers: ['x-tier'],
  })
  assert.deepEqual([tile!.offer!.price, tile!.offer!.varies], [100_000n, true])
  assert.equal(map!.priceFrom?.kind === 'module' && map!.priceFrom.path, '/etc/tally/price.mjs')
  assert.deepEqual(map!.offer!.free, {
    perClient: { count: 3, seconds: 86_400 },
    total: { count: 1000, seconds: 86_400 },
  })
  assert.deepEqual([chat!.offer!.price, chat!.offer!.metered, chat!.offer!.shadow], [100_000n, { max: 200_000n }, true])
  assert.deepEqual(chat!.meter, {
    report: { kind: 'body', pointer: ['usage', 'total_tokens'] },
    per: { price: 5000n, units: 1000n },
  })
})

test('what does not go together in a price is said', () => {
  const mistakes = (route: string): string => {
    try {
      loadConfig(
        `lightning: sim\nservices:\n  a:\n    upstream: http://127.0.0.1:3000\n    routes:\n      GET /a: ${route}\n`,
        't',
      )
      return ''
    } catch (error) {
      return (error as Error).message
    }
  }
  const hook = 'hook: "http://127.0.0.1:1/"'
  const metered = (more = ''): string => `metered: { estimate: 5 sat, report: header x-used, per: 1 msat${more} }`
  for (const [route, expected] of [
    [
      '{ price: free, uses: 2, shadow: true }',
      /uses: conflicts with `price: free`[^]*shadow: conflicts with `price: free`/,
    ],
    ['{ price: {} }', /expected one of `hook`, `module` and `metered`/],
    [`{ price: { ${hook}, module: ./x.mjs, max: 1 sat } }`, /expected one of/],
    [`{ price: { ${hook} } }`, /max: is missing/],
    [
      '{ price: { hook: "http://me:secret@127.0.0.1/", max: 1 sat } }',
      /hook: expected an address without user and password/,
    ],
    [
      `{ price: { ${hook}, max: 1 sat, timeout: 11s } }`,
      /timeout: expected a time like "500ms" or "2s", ten seconds at most/,
    ],
    [`{ price: { ${hook}, max: 1 sat, headers: [cookie] } }`, /headers without secrets/],
    [`{ price: { ${hook}, max: 1 sat }, pass: 1d }`, /pass: needs one price for all requests/],
    [`{ price: { ${hook}, max: 9 sat }, budget: 8 sat }`, /budget: expected at least the price of one call/],
    [`{ price: { ${metered()} } }`, /price: `metered` goes with a `budget`/],
    [`{ price: { ${metered()} }, uses: 3 }`, /`metered` goes with a `budget`/],
    [`{ price: { ${metered(', max: 4 sat')} }, budget: 9 sat }`, /max: expected at least `estimate`/],
    [`{ price: { ${metered(', max: 10 sat')} }, budget: 9 sat }`, /budget: expected at least/],
    [`{ price: { ${metered()}, timeout: 1s }, budget: 9 sat }`, /timeout: goes with `hook` or `module`/],
    [
      '{ price: { metered: { estimate: 5 sat, report: body usage, per: 1 msat } }, budget: 9 sat }',
      /report: expected "header/,
    ],
    [
      '{ price: { metered: { estimate: 5 sat, report: header X-L402-A, per: 1 msat } }, budget: 9 sat }',
      /another name/,
    ],
    [
      '{ price: { metered: { estimate: 5 sat, report: header a, per: 0 msat } }, budget: 9 sat }',
      /per: expected what a unit/,
    ],
    ['{ price: 1 sat, free: { per_client: 3/week } }', /per_client: expected how often/],
    ['{ price: 1 sat, free: { perclient: 3/day } }', /unknown key; did you mean `per_client`/],
    [`{ price: { hok: x } }`, /unknown key; did you mean `hook`/],
    ['{ price: 1 sat, shadow: false }', /shadow: expected `true`, or nothing/],
    ['{ price: 1 sat, rate: 0/min }', /rate: expected how often/],
  ] as const)
    assert.match(mistakes(route), expected, route)
})

test('what is behind a service: several upstreams, limits of time, health and trust', () => {
  const at = (...lines: string[]): string =>
    `lightning: sim\nservices:\n  a:\n${lines.map((line) => `    ${line}\n`).join('')}    routes: { GET /**: free }\n`
  const { upstreams, timeouts, health, tls } = loadConfig(
    at(
      'upstream: [https://a.example, "https://[::1]:8443"]',
      'timeouts: { connect: 1s, idle: 2m, total: 1h }',
      'health: { path: /healthz?deep=1 }',
      'tls: { ca: ca.pem, server_name: api.internal, cert: /etc/c.pem, key: ../k.pem }',
    ),
    '/srv/tally.yaml',
  ).services[0]!
  assert.deepEqual(
    upstreams.map(({ host, port, secure, authority }) => [host, port, secure, authority]),
    [
      ['a.example', 443, true, 'a.example'],
      ['::1', 8443, true, '[::1]:8443'],
    ],
  )
  assert.deepEqual(timeouts, { connect: 1, firstByte: 60, idle: 120, total: 3600 })
  assert.deepEqual(health, { path: '/healthz?deep=1', every: 5 })
  assert.deepEqual(tls, {
    ca: resolve('/srv/ca.pem'),
    serverName: 'api.internal',
    cert: resolve('/etc/c.pem'),
    key: resolve('/k.pem'),
  })

  const one = 'upstream: http://a'
  const table: [lines: string[], wrong: RegExp][] = [
    [['upstream: []'], /^t:4:15 upstream: expected an origin .* list/],
    [['upstream: [http://a, 1]'], /upstream: expected an origin .* list/],
    [['upstream: [http://a, http://b/path]'], /without a path/],
    [['upstream: [http://a, "http://a:80/"]'], /each upstream once/],
    [[one, 'timeout: 5s'], /^t:5:5 timeout: unknown key; did you mean `timeouts`\?$/],
    [[one, 'timeouts: { firstbyte: 5s }'], /^t:5:17 firstbyte: unknown key; did you mean `first_byte`\?$/],
    [[one, 'timeouts: { total: 25h }'], /total: expected a day or less/],
    [[one, 'timeouts: 5s'], /timeouts: expected a map of keys/],
    [[one, 'health: { every: 5s }'], /path: is missing; expected a path/],
    [[one, 'health: { path: healthz }'], /path: expected a path like/],
    [[one, 'health: { path: "/a b" }'], /path: expected a path like/],
    [[one, 'tls: { ca: x }'], /^t:5:10 tls: expected only `https` upstreams beside it$/],
    [['upstream: [https://a, http://b]', 'tls: { ca: x }'], /only `https`/],
    [['upstream: https://a', 'tls: { cert: x }'], /cert: expected `cert` and `key`, or neither/],
    [['upstream: https://a', 'tls: { server_name: 10.0.0.1 }'], /server_name: expected a name/],
    [
      ['upstream: https://a', 'tls: { insecure: true }'],
      /insecure: unknown key; the keys here are ca, server_name, cert, key/,
    ],
  ]
  for (const [lines, wrong] of table)
    assert.throws(() => loadConfig(at(...lines), 't'), { code: 'CONFIG_INVALID', message: wrong }, lines.join())
})
