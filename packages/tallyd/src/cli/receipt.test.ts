/** A use that is paid for at a gateway, and its receipt on the command line, when the gateway is long gone. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { sqliteJar } from 'tallystick/storage/sqlite'
import { alarmOf } from '../daemon/receipts.ts'
import { demoConfig, startDaemon } from '../daemon.ts'
import { main } from '../main.ts'
import { testIo, type TestIo } from './testIo.ts'

const dir = mkdtempSync(join(tmpdir(), 'tally-receipt-'))
const elsewhere = join(dir, 'elsewhere')
after(() => rmSync(dir, { recursive: true }))
let logKey = ''
let id = ''
let lines = ''

async function run(args: readonly string[], cwd = elsewhere): Promise<TestIo & { readonly exit: number }> {
  const io = testIo({ cwd, now: new Date() })
  const exit = await main([...args], io)
  return { ...io, exit }
}

before(async () => {
  mkdirSync(elsewhere)
  const config = demoConfig(dir)
  const events: string[] = []
  await using daemon = await startDaemon({
    config: { ...config, listen: { ...config.listen, port: 0 }, lightning: { kind: 'sim' } },
    demo: true,
    env: {},
    clock: () => new Date(),
    onEvent: (event) => events.push(JSON.stringify(event)),
  })
  logKey = daemon.logKey!
  const fetched = await run(
    ['fetch', `${daemon.url}/text/hi`, '--receipt', 'paid.receipt', '-o', 'answer.txt', '--json'],
    dir,
  )
  assert.equal(fetched.exit, 0, fetched.err())
  const said = JSON.parse(fetched.out()) as { receipt: string; receipt_file: string }
  id = said.receipt
  assert.equal(said.receipt_file, join(dir, 'paid.receipt'))
  const told = await run(['fetch', `${daemon.url}/text/hi`], dir)
  assert.match(told.err(), /^receipt [0-9a-f]{32}$/m)
  // What a stranger may see of it, and what an operator sees scroll by.
  lines = events.join('\n')
  writeFileSync(join(elsewhere, 'paid.receipt'), readFileSync(join(dir, 'paid.receipt')))
  writeFileSync(join(elsewhere, 'answer.txt'), readFileSync(join(dir, 'answer.txt')))
})

test('a receipt is verified offline, and says what it does not prove', async () => {
  const io = await run(['receipt', 'verify', 'paid.receipt', '--log-key', logKey])
  assert.equal(io.exit, 0, io.err())
  assert.match(io.out(), /^grade +G2$/m)
  assert.match(io.out(), /^not proven:\n {2}- To others than the payee: that it earned this\./m)
  assert.match(io.out(), /your policy asks for no witnesses/)
  writeFileSync(join(elsewhere, 'policy.txt'), `log ${logKey}\nquorum none\n`)
  const json = await run(['receipt', 'verify', 'paid.receipt', '--policy', 'policy.txt', '--json'])
  const verdict = JSON.parse(json.out()) as { grade: string; receipts: { kind: string; id: string }[]; route: string }
  assert.deepEqual(
    [verdict.grade, verdict.receipts.map(({ kind }) => kind), verdict.receipts[0]!.id, verdict.route],
    ['G2', ['settle', 'deliver'], id, 'GET /text/**'],
  )
  assert.match((await run(['receipt', 'verify', 'paid.receipt'])).out(), /^grade +G1$/m)
})

test('a receipt that was changed fails, and the error says where', async () => {
  const text = readFileSync(join(elsewhere, 'paid.receipt'), 'utf8')
  writeFileSync(join(elsewhere, 'changed'), text.replace('\\"status\\":200', '\\"status\\":201'))
  const io = await run(['receipt', 'verify', 'changed', '--log-key', logKey, '--json'])
  assert.equal(io.exit, 1)
  const { error } = JSON.parse(io.err()) as { error: { code: string; details: { reason: string } } }
  assert.deepEqual([error.code, error.details.reason], ['PROOF_INVALID', 'signature'])
  const key = `${'0'.repeat(63)}1`
  assert.equal((await run(['receipt', 'verify', 'paid.receipt', '--service', key])).exit, 1)
  for (const wrong of [[], ['paid.receipt', '--policy', 'x', '--log-key', logKey], ['paid.receipt', '--node', 'zz']])
    assert.equal((await run(['receipt', 'verify', ...wrong])).exit, 2)
})

test('the holder signs what arrived, and only that', async () => {
  assert.equal((await run(['token', 'key', 'me.key'])).exit, 0)
  const key = (await run(['token', 'key', 'me.key'])).out().trim()
  writeFileSync(join(elsewhere, 'other.txt'), 'something else')
  const wrong = await run([
    'receipt',
    'ack',
    'paid.receipt',
    '--holder',
    'me.key',
    '--body',
    'other.txt',
    '-o',
    'acked',
  ])
  assert.equal(wrong.exit, 1)
  const acked = await run([
    'receipt',
    'ack',
    'paid.receipt',
    '--holder',
    'me.key',
    '--body',
    'answer.txt',
    '-o',
    'acked',
  ])
  assert.equal(acked.exit, 0, acked.err())
  const known = await run(['receipt', 'verify', 'acked', '--log-key', logKey, '--holder', key, '--json'])
  const { grade, facts } = JSON.parse(known.out()) as { grade: string; facts: { acknowledged: boolean } }
  assert.deepEqual([grade, facts.acknowledged], ['G3', true])
  assert.match((await run(['receipt', 'verify', 'acked', '--log-key', logKey])).out(), /^grade +G2$/m)
})

test('it is shown, and written in parts for other tools', async () => {
  assert.match(
    (await run(['receipt', 'show', 'paid.receipt'])).out(),
    /settle: the service says that it took the payment/,
  )
  const io = await run(['receipt', 'export', 'paid.receipt', '--to', 'parts', '--json'])
  assert.equal(io.exit, 0, io.err())
  assert.deepEqual(readdirSync(join(elsewhere, 'parts')).toSorted(), [
    '1-settle.json',
    '1-settle.leaf',
    '1-settle.sigs.json',
    '1-settle.tlog-proof',
    '2-deliver.json',
    '2-deliver.leaf',
    '2-deliver.sigs.json',
    '2-deliver.tlog-proof',
    'invoice.txt',
    'terms.json',
  ])
  assert.match(readFileSync(join(elsewhere, 'parts/1-settle.tlog-proof'), 'utf8'), /^c2sp\.org\/tlog-proof@v1\nindex /)
})

test('the operator finds it by service, kind and time', async () => {
  const all = await run(['log', 'audit', '--since', '24h', '--json'], dir)
  const { receipts } = JSON.parse(all.out()) as {
    receipts: { kind: string; id: string; token: string; route: string }[]
  }
  assert.deepEqual(receipts.map(({ kind }) => kind).toSorted(), ['deliver', 'deliver', 'settle', 'settle'])
  assert.equal(receipts[0]!.id, id)
  assert.equal(receipts[0]!.route, 'GET /text/**')
  const csv = await run(['log', 'audit', '--token', receipts[0]!.token, '--kind', 'settle', '--csv'], dir)
  assert.equal(csv.out().trim().split('\r\n').length, 3)
  assert.equal((await run(['log', 'audit', '--link', 'scout-7'], dir)).out(), '')
  assert.match((await run(['log', 'audit', '--service', 'qr', '--limit', '1'], dir)).out(), /settle/)
  assert.equal((await run(['log', 'audit', '--kind', 'nonsense'], dir)).exit, 2)
  assert.equal((await run(['log', 'audit', '--since', 'whenever'], dir)).exit, 2)
  assert.equal((await run(['log', 'audit', '--state', 'nowhere'], elsewhere)).exit, 5)
})

test('no preimage and no key is in what the gateway wrote of it, or said', async () => {
  await using jar = sqliteJar(join(dir, '.tally/jar.db'))
  const [kept] = await jar.all()
  const secrets = { preimage: kept!.preimage!, key: readFileSync(join(dir, '.tally/key'), 'utf8').trim() }
  const files = readdirSync(join(dir, '.tally')).filter((name) => /^(?:log|receipts)\.db/.test(name))
  assert.ok(files.length >= 2)
  const places = [...files.map((name) => readFileSync(join(dir, '.tally', name))), Buffer.from(lines)]
  for (const place of [...places, readFileSync(join(elsewhere, 'paid.receipt'))])
    for (const secret of [Buffer.from(secrets.preimage), Buffer.from(secrets.key, 'hex')])
      for (const spelled of [secret, secret.toString('hex'), secret.toString('base64'), secret.toString('base64url')])
        assert.equal(place.includes(spelled), false)
})

test('a preimage that nobody paid for is told to the operator', () => {
  const error = alarmOf({ type: 'preimage_unsettled', paymentHash: 'ab'.repeat(32), state: 'open' })
  assert.equal(error.code, 'PREIMAGE_UNPAID')
  assert.match(error.message, /the node says: open/)
})

test('renewing says what it lacks, and leaves the file alone', async () => {
  const before = readFileSync(join(elsewhere, 'paid.receipt'))
  for (const [args, code] of [
    [['paid.receipt', '--jar', 'none.db'], 'FILE_UNAVAILABLE'],
    [[], 'USAGE'],
    [['paid.receipt', '--jar', join(dir, '.tally/jar.db')], 'NODE_UNAVAILABLE'],
  ] as const) {
    const io = await run(['receipt', 'renew', ...args, '--json'])
    assert.notEqual(io.exit, 0)
    assert.match(io.err(), /"code":"[A-Z_]+"/, code)
  }
  assert.deepEqual(readFileSync(join(elsewhere, 'paid.receipt')), before)
})
