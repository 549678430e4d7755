/**
 * Third-party caveats with somebody else's code on the other side: they demand and we discharge, we demand and they
 * discharge, they verify what we bound, and what we refuse they refuse. Go is used where it is installed;
 * TALLY_REQUIRE=go makes a missing one a failure.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import npm, { type NpmJson, type NpmMacaroon } from 'macaroon'
import { Bytes, Capability, Discharge, Key, Macaroon, sats, sha256, TallyError } from 'tallystick/core'

const { concat, fromHex, toHex, utf8 } = Bytes

const issuer = Key.from('2a'.repeat(32))
const preimage = new Uint8Array(32).fill(7)
const caveatKey = new Uint8Array(32).fill(9)
const ID = 'user=alice#1'
const LOCATION = 'https://auth.example'
const CAVEAT = 'verb=GET'

const plain = Capability.mint(issuer, {
  paymentHash: sha256(preimage),
  location: 'qr',
  caveats: ['services=qr:0', 'profile=dlg1'],
})
const demanding = Discharge.demand(plain, { location: LOCATION, id: ID, key: caveatKey })
const discharge = Discharge.mint(caveatKey, ID, LOCATION, [CAVEAT])
const nested = Discharge.demand(discharge, { location: LOCATION, id: 'inner', key: caveatKey })
const inner = Discharge.mint(caveatKey, 'inner', LOCATION)

const slice = (root: Macaroon.Macaroon, ...discharges: readonly Macaroon.Macaroon[]): Uint8Array =>
  concat(...[root, ...discharges].map(Macaroon.encode))
const bound = (...discharges: readonly Macaroon.Macaroon[]): Uint8Array =>
  slice(demanding, ...Discharge.bind(demanding, discharges))

const good: readonly Uint8Array[] = [bound(discharge), bound(nested, inner), bound(inner, nested)]
const bad: readonly Uint8Array[] = [
  slice(demanding),
  slice(demanding, discharge),
  slice(demanding, ...Discharge.bind(plain, [discharge])),
  bound(discharge, inner),
  bound(discharge, discharge),
  bound(nested),
  bound(Discharge.mint(utf8('another key'), ID, LOCATION)),
  slice(plain, ...Discharge.bind(plain, [discharge])),
]

function verify(bytes: Uint8Array, verb = 'GET'): void {
  const [root, ...discharges] = Macaroon.decodeAll(bytes)
  const request = { service: 'qr', verb, path: '/a', cost: sats(1) }
  Capability.verify(root, { key: issuer, preimage, discharges, request, now: new Date(0) })
}

function accepts(bytes: Uint8Array): void {
  verify(bytes)
  assert.throws(() => verify(bytes, 'PUT'), { code: 'CAVEAT_REFUSED' })
}

test('we accept and refuse what the others are asked about below', () => {
  for (const bytes of good) accepts(bytes)
  for (const bytes of bad)
    assert.throws(
      () => verify(bytes),
      (error) => TallyError.is(error) && error.code === 'DISCHARGE_INVALID',
    )
})

/** What the other one demanded of our token, we discharge. */
function dischargeDemand(root: Macaroon.Macaroon): void {
  accepts(slice(root, ...Discharge.bind(root, [discharge])))
  assert.throws(() => verify(slice(root, discharge)), { code: 'DISCHARGE_INVALID' })
}

/** Its writer of binaries fails on longer macaroons; its JSON says the same. */
function readJson(json: NpmJson): Macaroon.Macaroon {
  const bytes = (text: string | undefined, base64: string | undefined): Uint8Array =>
    text === undefined ? Bytes.fromBase64(base64!) : utf8(text)
  return {
    location: json.l ?? '',
    identifier: bytes(json.i, json.i64),
    caveats: json.c.map(({ i, i64, v64, l }) => ({
      id: bytes(i, i64),
      ...(v64 !== undefined && { vid: bytes(undefined, v64), location: l }),
    })),
    signature: bytes(undefined, json.s64),
  }
}

test('npm macaroon', () => {
  const theirs = npm.importMacaroon(Macaroon.encode(plain))
  theirs.addThirdPartyCaveat(caveatKey, utf8(ID), LOCATION)
  dischargeDemand(readJson(theirs.exportJSON()))

  const root = npm.importMacaroon(Macaroon.encode(demanding))
  const made = npm.newMacaroon({ version: 2, rootKey: caveatKey, identifier: utf8(ID), location: LOCATION })
  made.addFirstPartyCaveat(CAVEAT)
  made.bindToRoot(root.signature)
  accepts(concat(Macaroon.encode(demanding), made.exportBinary()))

  const verifies = (bytes: Uint8Array): boolean => {
    const [root, ...discharges] = Macaroon.decodeAll(bytes).map((one) => npm.importMacaroon(Macaroon.encode(one))) as [
      NpmMacaroon,
      ...NpmMacaroon[],
    ]
    try {
      root.verify(issuer.derive('root', plain.identifier), () => null, discharges)
      return true
    } catch {
      return false
    }
  }
  assert.deepEqual(good.map(verifies), [true, true, true])
  assert.deepEqual(
    bad.map(verifies),
    bad.map(() => false),
  )
})

const gopath = '/usr/share/gocode'
const go = existsSync(`${gopath}/src/gopkg.in/macaroon.v2`)
  ? ['go', '/usr/local/go/bin/go'].find((command) => spawnSync(command, ['version'], { stdio: 'ignore' }).status === 0)
  : undefined

test('go-macaroon', (t) => {
  if (go === undefined) {
    const needs = 'apt-get install golang-go golang-gopkg-macaroon.v2-dev'
    assert.ok(!(process.env['TALLY_REQUIRE'] ?? '').split(',').includes('go'), `go is required: ${needs}`)
    t.skip(`not installed: ${needs}`)
    return
  }
  const input = JSON.stringify({
    rootKey: toHex(issuer.derive('root', plain.identifier)),
    caveatKey: toHex(caveatKey),
    id: ID,
    location: LOCATION,
    caveat: CAVEAT,
    plain: toHex(Macaroon.encode(plain)),
    demanding: toHex(Macaroon.encode(demanding)),
    good: good.map(toHex),
    bad: bad.map(toHex),
  })
  const { status, stdout, stderr } = spawnSync(go, ['run', join(import.meta.dirname, 'peers/discharges.go')], {
    input,
    encoding: 'utf8',
    env: { ...process.env, GO111MODULE: 'off', GOPATH: gopath, GOFLAGS: '' },
  })
  assert.equal(status, 0, stderr)
  const answer = JSON.parse(stdout) as { demanded: string; discharged: string; good: boolean[]; bad: boolean[] }
  dischargeDemand(Macaroon.decode(fromHex(answer.demanded)))
  accepts(fromHex(answer.discharged))
  assert.deepEqual(answer.good, [true, true, true])
  assert.deepEqual(
    answer.bad,
    bad.map(() => false),
  )
})
