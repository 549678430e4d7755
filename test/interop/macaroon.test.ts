/**
 * Tokens to and from macaroons that we did not write: what they mint is what we mint, byte for byte; what we mint they
 * verify; what they narrow we verify. Python and Go are used where they are installed; TALLY_REQUIRE=python,go makes a
 * missing one a failure.
 */
import assert from 'node:assert/strict'
import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import npm from 'macaroon'
import { Bytes, Capability, Caveat, Identifier, Key, Macaroon } from 'tallystick/core'

const { fromHex, toHex, utf8 } = Bytes

interface Case {
  readonly rootKey: string
  readonly identifier: string
  readonly location: string
  readonly caveats: readonly string[]
  /** Hex of our token with all caveats, and without the last. */
  readonly ours: string
  readonly shorter: string
}

interface Answer {
  readonly minted: string
  readonly extended: string
  readonly copied: string
  readonly verified: boolean
  readonly verifiedWithAnotherKey: boolean
}

function caseOf(rootKey: Bytes.Bytes, identifier: Bytes.Bytes, location: string, caveats: readonly string[]): Case {
  const steps = [Macaroon.mint(rootKey, identifier, location)]
  for (const caveat of caveats) steps.push(Macaroon.append(steps.at(-1)!, caveat))
  const [ours, shorter] = [steps.at(-1)!, steps.at(-2)!].map((macaroon) => toHex(Macaroon.encode(macaroon))) as [
    string,
    string,
  ]
  return { rootKey: toHex(rootKey), identifier: toHex(identifier), location, caveats, ours, shorter }
}

const l402 = Identifier.encode({ paymentHash: new Uint8Array(32).fill(0xfe), tokenId: new Uint8Array(32).fill(0x80) })
const rich = [
  'services=search:0',
  'search_valid_until=1900000000',
  'profile=dlg1',
  'expires=1900000000',
  'verb=GET,HEAD',
  'path=/v1/search/**',
  'uses=100',
  'link=research-bot#q7k2m4xa',
  'path=/v1/search/a/*',
  'uses=5',
]
const cases: readonly Case[] = [
  caseOf(utf8('k'), utf8('i'), '', ['c']),
  caseOf(utf8('this is the key'), utf8('keyid'), 'http://example.org/', ['account = 3735928559', 'user = alice']),
  caseOf(new Uint8Array(32).fill(0xff), l402, 'https://api.example.com', rich.slice(0, 3)),
  caseOf(new Uint8Array(100).fill(0xaa), l402, 'https://api.example.com', rich),
  // The borders of the hash's blocks and of the varint's bytes.
  ...[54, 55, 56, 63, 64, 119, 120, 127, 128, 300, 1024].map((length) =>
    caseOf(utf8('key'), new Uint8Array(length).fill(0x69), 'l'.repeat(length), ['c'.repeat(length)]),
  ),
]

/** What the peer did with each case is what we would have done. */
function agrees(cases: readonly Case[], answers: readonly Answer[]): void {
  assert.equal(answers.length, cases.length)
  for (const [i, { rootKey, ours, location }] of cases.entries()) {
    const { verified, verifiedWithAnotherKey, ...written } = answers[i]!
    // pymacaroons writes a location even when there is none.
    const bare = (hex: string): string => (location === '' ? hex.replace(/^020100/, '02') : hex)
    const [minted, extended, copied] = [written.minted, written.extended, written.copied].map(bare)
    assert.deepEqual({ minted, extended, copied }, { minted: ours, extended: ours, copied: ours })
    assert.equal(verified, true)
    assert.equal(verifiedWithAnotherKey, false)
    Macaroon.verify(fromHex(rootKey), Macaroon.decode(fromHex(written.extended)))
  }
}

test('npm macaroon, up to the three caveats that its writer manages', () => {
  const verifies = (macaroon: ReturnType<typeof npm.importMacaroon>, rootKey: Bytes.Bytes): boolean => {
    try {
      macaroon.verify(rootKey, () => null, [])
      return true
    } catch {
      return false
    }
  }
  const answer = ({ rootKey, identifier, location, caveats, ours, shorter }: Case): Answer => {
    const key = fromHex(rootKey)
    const minted = npm.newMacaroon({ version: 2, rootKey: key, identifier: fromHex(identifier), location })
    for (const caveat of caveats) minted.addFirstPartyCaveat(caveat)
    const extended = npm.importMacaroon(fromHex(shorter))
    extended.addFirstPartyCaveat(caveats.at(-1)!)
    const copied = npm.importMacaroon(fromHex(ours))
    const [one, two, three] = [minted, extended, copied].map((macaroon) => toHex(macaroon.exportBinary())) as [
      string,
      string,
      string,
    ]
    return {
      minted: one,
      extended: two,
      copied: three,
      verified: verifies(copied, key),
      verifiedWithAnotherKey: verifies(copied, utf8('another')),
    }
  }
  const short = cases.filter(({ caveats }) => caveats.length <= 3)
  agrees(short, short.map(answer))
  for (const { rootKey, ours } of cases) assert.ok(verifies(npm.importMacaroon(fromHex(ours)), fromHex(rootKey)))
})

interface Peer {
  readonly name: string
  readonly needs: string
  /** undefined when it is not installed. */
  readonly run: ((input: string) => SpawnSyncReturns<string>) | undefined
}

const here = join(import.meta.dirname, 'peers')
const gopath = '/usr/share/gocode'
const python = ['/usr/bin/python3', 'python3'].find(
  (command) => spawnSync(command, ['-c', 'import pymacaroons'], { stdio: 'ignore' }).status === 0,
)
const go = existsSync(`${gopath}/src/gopkg.in/macaroon.v2`)
  ? ['go', '/usr/local/go/bin/go'].find((command) => spawnSync(command, ['version'], { stdio: 'ignore' }).status === 0)
  : undefined

const peers: readonly Peer[] = [
  {
    name: 'python',
    needs: 'apt-get install python3-pymacaroons',
    run:
      python === undefined
        ? undefined
        : (input) => spawnSync(python, [join(here, 'macaroons.py')], { input, encoding: 'utf8' }),
  },
  {
    name: 'go',
    needs: 'apt-get install golang-go golang-gopkg-macaroon.v2-dev',
    run:
      go === undefined
        ? undefined
        : (input) =>
            spawnSync(go, ['run', join(here, 'macaroons.go')], {
              input,
              encoding: 'utf8',
              env: { ...process.env, GO111MODULE: 'off', GOPATH: gopath, GOFLAGS: '' },
            }),
  },
]

const required = (process.env['TALLY_REQUIRE'] ?? '').split(',')

for (const { name, needs, run } of peers)
  test(`${name}: mints, copies, narrows and verifies the same`, (t) => {
    if (!run) {
      assert.ok(!required.includes(name), `${name} is required and not installed: ${needs}`)
      t.skip(`not installed: ${needs}`)
      return
    }
    const { status, stdout, stderr } = run(JSON.stringify(cases))
    assert.equal(status, 0, stderr)
    agrees(cases, JSON.parse(stdout) as Answer[])
  })

test('a capability of ours is a macaroon to everybody', () => {
  const key = Key.from('11'.repeat(32))
  const capability = Capability.attenuate(
    Capability.mint(key, { paymentHash: new Uint8Array(32), location: '', caveats: [...rich.slice(0, 4), 'uses=9'] }),
    [Caveat.link('bot'), Caveat.uses(5)],
  )
  const copy = npm.importMacaroon(Macaroon.encode(capability))
  const seen: string[] = []
  copy.verify(
    key.derive('root', capability.identifier),
    (caveat) => {
      seen.push(caveat)
      return null
    },
    [],
  )
  assert.deepEqual(
    seen,
    capability.caveats.map(({ id }) => Bytes.fromUtf8(id)),
  )
})
