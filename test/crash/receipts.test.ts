/**
 * kill -9 of the whole gateway at random points under load, with receipts on: every receipt that a client got is in the log at
 * its place and in the book with what it says, the sequence has no gap or repeat, and each can be proven afterwards.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { Bytes, HolderKey, Key, LogPolicy, LogProof, Note, Receipt } from 'tallystick/core'
import { openLog } from 'tallystick/server'
import { logGuard, sqliteLog } from 'tallystick/storage/sqlite'
import { echo, gatewayProcess } from '../support/gatewayProcess.ts'
import { get, soldYaml, tokenFor } from '../support/soldGateway.ts'
import { run } from '../e2e/shell.ts'

// Each is a start of the whole program, so the short run for every `npm test` has few.
const KILLS = process.env['CI'] ? 50 : 3
const CALLERS = 16
const ORIGIN = 'shop.example/log'

test('kill -9 of a gateway under load: what was acknowledged is in the log and in the book, and is proven', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'tally-receiptcrash-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  await using upstream = await echo()
  const key = Key.random()
  writeFileSync(join(dir, 'tally.key'), key.unsafeHex())
  const state = join(dir, 'state')
  const yaml = soldYaml({ upstream: upstream.url, key: './tally.key', store: `sqlite:${join(dir, 'tally.db')}` })
  writeFileSync(join(dir, 'tally.yaml'), `state: ${state}\ntransparency: { origin: ${ORIGIN} }\n${yaml}`)

  const carried: Receipt.Carried[] = []
  let authorization: string | undefined
  for (let kill = 0; kill < KILLS; kill++) {
    const gateway = await gatewayProcess(dir)
    authorization ??= (await tokenFor(`${gateway.url}/many`, key)).authorization
    const most = 1 + Math.floor(Math.random() * 120)
    let answered = 0
    const caller = async (): Promise<void> => {
      for (;;) {
        const answer = await get(`${gateway.url}/many`, authorization).catch(() => undefined)
        if (!answer) return
        assert.equal(answer.status, 200, answer.body)
        carried.push(Receipt.fromHeader(String(answer.headers['tally-receipt'])))
        // How much more it gets done before it is dead is up to the system.
        if (++answered === most) gateway.child.kill('SIGKILL')
      }
    }
    await Promise.all(Array.from({ length: CALLERS }, caller))
    await gateway.exited
    assert.equal(gateway.child.signalCode, 'SIGKILL')
  }

  const fsck = await run(['log', 'fsck', state], dir)
  assert.equal(fsck.code, 0, fsck.out + fsck.err)
  const database = new DatabaseSync(join(state, 'log.db'), { readOnly: true })
  const places = database
    .prepare('SELECT idx FROM entries ORDER BY idx')
    .all()
    .map(({ idx }) => Number(idx))
  const kept = database
    .prepare('SELECT leaf FROM receipts ORDER BY leaf')
    .all()
    .map(({ leaf }) => Number(leaf))
  database.close()
  assert.deepEqual(
    places,
    places.map((_, i) => i),
  )
  assert.deepEqual(kept, places, 'leaf and content are there together')
  assert.equal(new Set(carried.map(({ index }) => index)).size, carried.length, 'no place was given twice')
  const seqs = carried.map(({ envelope }) => (Receipt.parse(envelope.payload).fields['act'] as { seq: number }).seq)
  assert.equal(new Set(seqs).size, seqs.length, 'no use has the number of another')

  const signer = HolderKey.from(readFileSync(join(state, 'log.key'), 'utf8').trim())
  const policy = LogPolicy.logAlone(Note.verifierKey(ORIGIN, signer.publicKey))
  await using log = await openLog({
    store: sqliteLog(join(state, 'log.db')),
    guard: logGuard(join(state, 'log.signed')),
    origin: ORIGIN,
    signer,
  })
  for (const { envelope, salt, index } of carried) {
    const { id } = Receipt.check(envelope)
    LogProof.verify(await log.prove(index), Receipt.leaf(envelope, salt), policy)
    const entry = await log.book.get(id)
    assert.deepEqual([entry?.index, entry?.content?.envelope], [index, Receipt.encode(envelope)])
    assert.equal(Bytes.toHex(entry!.content!.salt), Bytes.toHex(salt))
  }
  t.diagnostic(`${KILLS} kills, ${carried.length} receipts got by clients, ${places.length} in the log`)
})
