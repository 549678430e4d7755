/**
 * One paid call through a running gateway with everything on, and then everything that it wrote, said, showed and exported
 * searched for the preimage, the token, the keys, and for what the call itself said.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { payingFetch, proofOf, receiptOf } from 'tallystick/client'
import { Key, Macaroon } from 'tallystick/core'
import { walletd } from 'tallystick/lightning/walletd'
import { memoryJar } from 'tallystick/storage'
import { echo, gatewayProcess } from '../support/gatewayProcess.ts'
import { run, workplace } from './shell.ts'

const filesIn = (dir: string): [string, Buffer][] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => [file.slice(dir.length + 1), readFileSync(file)])

test('preimage, token, keys, path, query and body are in no database, tile, metric, log line or export', async () => {
  using place = workplace()
  await using upstream = await echo()
  const key = Key.random()
  writeFileSync(join(place.dir, 'tally.key'), key.unsafeHex())
  writeFileSync(
    join(place.dir, 'tally.yaml'),
    `listen: 127.0.0.1:0
lightning: sim
key: file:./tally.key
state: ./state
admin: { listen: 127.0.0.1:0 }
log: { format: json }
transparency: { origin: shop.example/log }
services:
  shop:
    upstream: ${upstream.url}
    routes:
      POST /sold/*: { price: 1 sat, uses: 5 }
`,
  )
  const places = new Map<string, Buffer>()
  const jar = memoryJar()
  {
    await using gateway = await gatewayProcess(place.dir)
    const ready = gateway.output.find((line) => line.includes('"ready"'))!
    const { wallet, admin } = JSON.parse(ready) as { wallet: string; admin: string }
    const buy = payingFetch({ wallet: walletd(wallet), jar })
    const url = `${gateway.url}/sold/canary-path?q=canary-query`
    const answer = await buy(url, { method: 'POST', body: 'canary-body' })
    assert.equal(answer.status, 200)
    const receipt = receiptOf(answer)!
    await answer.text()
    places.set('tally-receipt header', Buffer.from(answer.headers.get('tally-receipt')!))
    const proof = await proofOf(receipt)
    writeFileSync(join(place.dir, 'paid.receipt'), proof)
    places.set('proof', Buffer.from(proof))
    // And a refusal, which leaves a receipt as well.
    const [bought] = await jar.all()
    const authorization = `L402 ${bought!.macaroon}:${Buffer.from(bought!.preimage!).toString('hex')}`
    const again = { method: 'POST', body: 'canary-body', headers: { authorization } }
    for (let use = 0; use < 5; use++) await (await fetch(url, again)).text()
    places.set('metrics', Buffer.from(await (await fetch(`${admin}/metrics`)).text()))
    gateway.child.kill('SIGTERM')
    await gateway.exited
    places.set('JSON log', Buffer.from(gateway.output.filter((line) => line !== ready).join('\n')))
  }
  const mirror = await run(['log', 'export', './mirror', './state'], place.dir)
  assert.equal(mirror.code, 0, mirror.err)
  const parts = await run(['receipt', 'export', 'paid.receipt', '--to', './parts'], place.dir)
  assert.equal(parts.code, 0, parts.err)
  const audit = await run(['log', 'audit', '--json', '--state', './state'], place.dir)
  assert.equal(audit.code, 0, audit.err)
  places.set('log audit', Buffer.from(audit.out))
  for (const dir of ['state', 'mirror', 'parts'])
    for (const [name, content] of filesIn(join(place.dir, dir))) places.set(`${dir}/${name}`, content)
  for (const name of ['state/log.db', 'state/tally.db', 'mirror/checkpoint', 'parts/1-settle.json'])
    assert.ok(places.has(name), `${name} is not among ${[...places.keys()].join(', ')}`)
  assert.match(String(places.get('metrics')), /l402_/)
  assert.match(String(places.get('JSON log')), /"decision":"granted"/)
  assert.match(String(places.get('log audit')), /denial/)

  const [kept] = await jar.all()
  const macaroon = Macaroon.fromBase64(kept!.macaroon)
  const secrets: Record<string, Uint8Array> = {
    preimage: kept!.preimage!,
    'signature of the chain': macaroon.signature,
    'master key': Buffer.from(key.unsafeHex(), 'hex'),
    'receipts key': key.derive('receipts'),
    'log key': Buffer.from(readFileSync(join(place.dir, 'state', 'log.key'), 'utf8').trim(), 'hex'),
  }
  const texts = ['canary-path', 'canary-query', 'canary-body']
  for (const [name, content] of places) {
    // The node that is played here keeps the preimages of its invoices, as any node does.
    if (name === 'state/sim.journal') continue
    // The quotes of the store hold the macaroon without the preimage (docs/proof.md), and the keys are where they belong.
    const store = name.startsWith('state/tally.db')
    for (const [what, bytes] of Object.entries(secrets)) {
      if ((store && what === 'signature of the chain') || (name === 'state/log.key' && what === 'log key')) continue
      assert.equal(content.includes(Buffer.from(bytes)), false, `${what} in ${name}`)
      for (const spelling of ['hex', 'base64', 'base64url'] as const)
        assert.equal(
          content.includes(Buffer.from(bytes).toString(spelling)),
          false,
          `${what} as ${spelling} in ${name}`,
        )
    }
    for (const text of texts) assert.equal(content.includes(text), false, `${text} in ${name}`)
    if (!store) assert.equal(content.includes(kept!.macaroon.slice(100, 160)), false, `token in ${name}`)
  }
})
