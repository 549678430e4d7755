/** A witness by its specification, status by status; and a log with its witnesses. */
import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import {
  AddCheckpoint,
  Bytes,
  Checkpoint,
  HolderKey,
  LogPolicy,
  LogProof,
  Merkle,
  Note,
  TallyError,
  Tile,
  type ErrorCode,
} from 'tallystick/core'
import { logGuard, sqliteLog, sqliteWitness } from 'tallystick/storage/sqlite'
import { createCosigning } from './cosigning.ts'
import { openLog, type ReceiptLog } from './log.ts'
import { createWitness, monitoringPath, type Witness, type WitnessOptions } from './witness.ts'

const root = mkdtempSync(join(tmpdir(), 'tallystick-witness-'))
after(() => rmSync(root, { recursive: true }))
const withCode = (code: ErrorCode) => (error: unknown) => TallyError.is(error) && error.code === code
let count = 0
const newFile = (): string => join(root, `${count++}`)

const signer = HolderKey.from('11'.repeat(32))
const origin = 'log.example/log'
const key = Note.verifierKey(origin, signer.publicKey)
const now = new Date('2026-11-22T12:00:00Z')

const hashes = Array.from({ length: 200 }, (_, i) => Merkle.hashLeaf(Bytes.utf8(`entry ${i}`)))
const read = Tile.reader(() => new Tile.Nodes(hashes))
const checkpointOf = (
  size: number,
  options: { root?: Uint8Array; by?: HolderKey.HolderKey; origin?: string } = {},
): string =>
  Checkpoint.sign(
    { origin: options.origin ?? origin, size, root: options.root ?? Merkle.root(size, read) },
    options.by ?? signer,
  )
const requestOf = (old: number, size: number): string =>
  AddCheckpoint.format({ old, proof: Merkle.proveConsistency(old, size, read), checkpoint: checkpointOf(size) })

function witnessOn(file: string, seed = '22', name = 'w.example', ed25519?: WitnessOptions['ed25519']) {
  const store = sqliteWitness(file)
  const witness = createWitness({
    name,
    signer: HolderKey.from(seed.repeat(32)),
    logs: [key],
    store,
    clock: () => now,
    ...(ed25519 && { ed25519 }),
  })
  return { witness, store, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() }
}
const add = (witness: Witness, body: string) => witness.handle({ method: 'POST', path: '/add-checkpoint', body })

test('signs what continues, and remembers it across a restart', async () => {
  const file = newFile()
  {
    await using on = witnessOn(file)
    const first = await add(on.witness, requestOf(0, 5))
    assert.equal(first.status, 200)
    const { note } = Checkpoint.parse(checkpointOf(5))
    const signatures = Note.parseSignatures(first.body)
    assert.deepEqual(Checkpoint.cosignedAt({ ...note, signatures }, on.witness.key), now)
    assert.equal((await add(on.witness, requestOf(5, 130))).status, 200)
    // The same again: a log whose answer was lost.
    assert.equal((await add(on.witness, requestOf(130, 130))).status, 200)
  }
  await using on = witnessOn(file)
  const conflict = await add(on.witness, requestOf(5, 140))
  assert.deepEqual(
    [conflict.status, conflict.headers, conflict.body],
    [409, [['content-type', 'text/x.tlog.size']], '130\n'],
  )
  assert.equal((await add(on.witness, requestOf(0, 5))).status, 409)
  const shown = await on.witness.handle({ method: 'GET', path: monitoringPath(origin), body: '' })
  assert.equal(shown.status, 200)
  assert.equal(Checkpoint.open(shown.body, key).size, 130)
  assert.deepEqual(Checkpoint.cosignedAt(Checkpoint.parse(shown.body).note, on.witness.key), now)
})

test('every refusal has the status that the specification gives it', async () => {
  await using on = witnessOn(newFile())
  assert.equal((await on.witness.handle({ method: 'GET', path: monitoringPath(origin), body: '' })).status, 404)
  assert.equal((await add(on.witness, requestOf(0, 100))).status, 200)
  const other = HolderKey.from('44'.repeat(32))
  const request = requestOf(100, 120)
  const hash = Bytes.toBase64(hashes[0]!)
  const forged = Note.parse(checkpointOf(120))
  const wrong = { ...forged.signatures[0]!, bytes: new Uint8Array(64) }
  const cases: readonly [string, number, string][] = [
    ['nothing', 400, ''],
    ['no old line', 400, request.slice(request.indexOf('\n') + 1)],
    ['a zero before', 400, request.replace('old 100', 'old 0100')],
    ['other base64', 400, request.replace(/=\n/, '\n')],
    ['64 hashes', 400, `old 100\n${`${hash}\n`.repeat(64)}\n${checkpointOf(120)}`],
    ['old above new', 400, AddCheckpoint.format({ old: 121, proof: [], checkpoint: checkpointOf(120) })],
    ['an unknown log', 404, AddCheckpoint.format({ old: 0, proof: [], checkpoint: checkpointOf(1, { origin: 'x' }) })],
    [
      'an unknown key',
      403,
      AddCheckpoint.format({ old: 100, proof: [], checkpoint: checkpointOf(100, { by: other }) }),
    ],
    ['a bad signature beside a good one', 403, `${request}${Note.signatureLine(wrong)}`],
    ['another old size', 409, requestOf(99, 120)],
    ['a wrong proof', 422, AddCheckpoint.format({ old: 100, proof: [hashes[0]!], checkpoint: checkpointOf(120) })],
    ['no proof', 422, AddCheckpoint.format({ old: 100, proof: [], checkpoint: checkpointOf(120) })],
    [
      'one size, another root',
      422,
      AddCheckpoint.format({ old: 100, proof: [], checkpoint: checkpointOf(100, { root: hashes[0]! }) }),
    ],
  ]
  for (const [name, status, body] of cases) assert.equal((await add(on.witness, body)).status, status, name)
  assert.equal((await on.witness.handle({ method: 'GET', path: '/add-checkpoint', body: '' })).status, 405)
  await using fresh = witnessOn(newFile())
  const empty = (proof: Uint8Array[], root: Uint8Array) =>
    add(fresh.witness, AddCheckpoint.format({ old: 0, proof, checkpoint: checkpointOf(0, { root }) }))
  assert.equal((await empty([], hashes[0]!)).status, 422)
  assert.equal(
    (await add(fresh.witness, AddCheckpoint.format({ old: 0, proof: [hashes[0]!], checkpoint: checkpointOf(3) })))
      .status,
    422,
  )
  assert.equal((await empty([], Merkle.emptyRoot())).status, 200)
  assert.equal((await add(fresh.witness, requestOf(0, 3))).status, 200)
})

test('two requests at once: one advances, the other is told, and nothing is taken back', async () => {
  await using on = witnessOn(newFile())
  await add(on.witness, requestOf(0, 10))
  const sizes = [20, 30, 40, 50, 60]
  const answers = await Promise.all(sizes.map((size) => add(on.witness, requestOf(10, size))))
  assert.deepEqual(
    answers.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 409, 409, 409, 409],
  )
  const won = sizes[answers.findIndex(({ status }) => status === 200)]!
  assert.ok(answers.every(({ status, body }) => status === 200 || body === `${won}\n`))
})

/** Node's own, so that many inputs take little time. */
const ed25519: NonNullable<WitnessOptions['ed25519']> = (signature, message, publicKey) => {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Bytes.toBase64Url(publicKey) }
  return verify(null, message, createPublicKey({ key: jwk, format: 'jwk' }), signature)
}

test('fuzz: whatever is sent, it answers', async () => {
  await using on = witnessOn(newFile(), '22', 'w.example', ed25519)
  const whole = requestOf(0, 7)
  const input = fc
    .tuple(fc.nat(whole.length), fc.nat(6), fc.string({ unit: 'binary', maxLength: 3 }))
    .map(([at, cut, put]) => whole.slice(0, at) + put + whole.slice(at + cut))
  await fc.assert(
    fc.asyncProperty(fc.oneof(input, fc.string({ unit: 'binary' })), async (body) => {
      const { status } = await add(on.witness, body)
      if (body !== whole) assert.ok([400, 403, 404, 409, 422].includes(status), `${status}`)
    }),
    { numRuns: Math.min(20_000, Number(process.env['FUZZ_RUNS'] ?? 500)) },
  )
})

/** A log with two witnesses of which both must sign, behind a `fetch` that can be broken. */
async function world(file: string) {
  const [store, guard] = [sqliteLog(`${file}.db`), logGuard(`${file}.signed`)]
  const log = await openLog({ store, guard, origin, signer })
  const witnesses = new Map([
    ['https://w1.example', witnessOn(`${file}.w1`, '22', 'w1.example')],
    ['https://w2.example/prefix', witnessOn(`${file}.w2`, '33', 'w2.example')],
  ])
  const down = new Set<string>()
  /** What a witness says instead, by its address and what it would have said. */
  const lies = new Map<string, (text: string) => string | ReadableStream<Uint8Array>>()
  const asked: string[] = []
  const send = (async (url: string, init: RequestInit = {}) => {
    const [prefix, on] = [...witnesses].find(([prefix]) => url.startsWith(`${prefix}/`))!
    asked.push(url)
    if (down.has(prefix)) throw new TypeError('fetch failed')
    const answer = await on.witness.handle({
      method: init.method ?? 'GET',
      path: url.slice(prefix.length),
      body: (init.body as string | undefined) ?? '',
    })
    const body = lies.get(prefix)?.(answer.body) ?? answer.body
    return new Response(body as string, { status: answer.status })
  }) as typeof fetch
  const lines = [...witnesses].map(
    ([url, { witness }], i) => `witness w${i + 1} ${Note.formatKey(witness.key)} ${url}/`,
  )
  const policy = LogPolicy.parse(
    [`log ${Note.formatKey(key)}`, ...lines, 'group both all w1 w2', 'quorum both'].join('\n'),
  )
  const troubles: string[] = []
  let time = now.getTime()
  const cosigning = createCosigning({
    log,
    policy,
    fetch: send,
    clock: () => new Date(time),
    onTrouble: (error) => troubles.push(TallyError.is(error) ? error.code : String(error)),
  })
  return {
    log,
    policy,
    cosigning,
    down,
    lies,
    asked,
    troubles,
    wait: (ms: number) => (time += ms),
    async [Symbol.asyncDispose]() {
      await log[Symbol.asyncDispose]()
      for (const on of witnesses.values()) await on[Symbol.asyncDispose]()
    },
  }
}

const append = (log: ReceiptLog, n: number, prefix = 'entry') =>
  Promise.all(Array.from({ length: n }, (_, i) => log.append(Bytes.utf8(`${prefix} ${i}`))))

test('a proof with a quorum: asked, signed, shown, verified', async () => {
  await using on = await world(newFile())
  const { log, policy, cosigning } = on
  await append(log, 300)
  assert.throws(() => LogPolicy.accept(log.checkpoint, policy), withCode('LOG_UNWITNESSED'))
  await cosigning.round()
  assert.deepEqual(on.troubles, [])
  const proof = await log.prove(299)
  assert.deepEqual(LogProof.verify(proof, Bytes.utf8('entry 299'), policy).witnessed, now)
  // Nothing new: nobody is asked.
  const before = on.asked.length
  await cosigning.round()
  assert.equal(on.asked.length, before)
  await append(log, 5)
  await cosigning.round()
  assert.equal(LogPolicy.accept(await log.published(), policy).checkpoint.size, 305)
})

test('a witness that is down is asked again, later and later, and then catches up', async () => {
  await using on = await world(newFile())
  const { log, policy, cosigning, down, asked } = on
  down.add('https://w1.example')
  await append(log, 3)
  for (const [wait, more] of [
    [0, 2],
    [1000, 0],
    [1001, 1],
    [3999, 0],
    [1, 1],
  ] as const) {
    on.wait(wait)
    const before = asked.length
    await cosigning.round()
    assert.equal(asked.length - before, more, `after ${wait} ms`)
  }
  assert.throws(() => LogPolicy.accept(log.checkpoint, policy), withCode('LOG_UNWITNESSED'))
  assert.deepEqual(new Set(on.troubles), new Set(['WITNESS_FAILED']))
  down.clear()
  on.wait(300_000)
  await cosigning.round()
  // Both cosignatures are on it, though they came at different times.
  assert.equal(LogPolicy.accept(await log.published(), policy).checkpoint.size, 3)
})

test('a witness that signs too often, or never stops talking, spoils neither the checkpoint nor our memory', async () => {
  await using on = await world(newFile())
  const { log, cosigning, lies } = on
  const seed = (byte: string) => HolderKey.from(byte.repeat(32))
  lies.set('https://w1.example', () => {
    const { text } = Checkpoint.parse(log.checkpoint).note
    const at = (n: number) => new Date(now.getTime() + n * 1000)
    const many = Array.from({ length: 64 }, (_, n) =>
      Checkpoint.cosign(text, { name: 'w1.example', signer: seed('22'), now: at(n) }),
    )
    return many.map(Note.signatureLine).join('')
  })
  let sent = 0
  lies.set(
    'https://w2.example/prefix',
    () =>
      new ReadableStream({
        pull(controller) {
          if (sent >= 64 << 20) return controller.close()
          sent += 1 << 16
          controller.enqueue(new Uint8Array(1 << 16).fill(65))
        },
      }),
  )
  await append(log, 3)
  await cosigning.round()
  assert.equal(Checkpoint.parse(await log.published()).note.signatures.length, 2)
  assert.ok(sent < 1 << 20, `${sent} bytes`)
  assert.deepEqual(on.troubles, ['WITNESS_FAILED'])
})

test('restored from a backup with its guard, the log learns from its witnesses what it has signed', async () => {
  const file = newFile()
  {
    await using on = await world(file)
    await append(on.log, 10)
    await on.cosigning.round()
  }
  for (const name of ['db', 'signed']) copyFileSync(`${file}.${name}`, `${file}.${name}.old`)
  {
    await using on = await world(file)
    await append(on.log, 10, 'lost')
    await on.cosigning.round()
  }
  for (const name of ['db', 'signed']) copyFileSync(`${file}.${name}.old`, `${file}.${name}`)
  {
    await using on = await world(file)
    await assert.rejects(on.cosigning.check(), (error: unknown) => {
      assert.ok(TallyError.is(error) && error.code === 'LOG_ROLLED_BACK')
      assert.match(error.message, /w1 has seen 20 entries of log.example\/log, and its database has 10/)
      // The proof of it, signed with the log's own key.
      assert.equal(Checkpoint.open(String(error.details['checkpoint']), key).size, 20)
      return true
    })
    await assert.rejects(on.log.append(Bytes.utf8('x')), withCode('LOG_ROLLED_BACK'))
  }
  // Whoever goes on regardless has forked the log, and every witness can show it.
  await using on = await world(file)
  await append(on.log, 30, 'other')
  await on.cosigning.round()
  assert.ok(on.troubles.includes('LOG_FORKED'), on.troubles.join())
  await assert.rejects(on.log.append(Bytes.utf8('x')), withCode('LOG_FORKED'))
  assert.throws(() => LogPolicy.accept(on.log.checkpoint, on.policy), withCode('LOG_UNWITNESSED'))
})
