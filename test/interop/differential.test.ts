/**
 * Our parser against those of go-macaroon, pymacaroons and npm macaroon, on damaged tokens: we do not accept what one of
 * them refuses, what both accept is read as the same, and what only we refuse is what docs/parsers.md says. FUZZ_RUNS is how many;
 * TALLY_REQUIRE=python,go makes a missing one a failure.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import npm from 'macaroon'
import { Bytes, Discharge, Macaroon, sha256, TallyError } from 'tallystick/core'
import { root } from '../../scripts/steps.ts'
import { mutants, seeded, spelled, type Mutant } from '../support/mutants.ts'
import { peers } from '../support/peers.ts'

const { concat, toHex, utf8 } = Bytes
const count = Math.min(Number(process.env['FUZZ_RUNS'] ?? 2000), 100_000)
const required = (process.env['TALLY_REQUIRE'] ?? '').split(',')
const SEED = 402

/** What was read, as the peers put it, or why it was refused. */
type Verdict = { readonly read: string } | { readonly refused: string }

const hexOf = (text: string | undefined): string => toHex(utf8(text ?? ''))
function reading({ location, identifier, caveats, signature }: Macaroon.Macaroon): string {
  const each = caveats.map(({ id, vid, location }) => `;${toHex(id)},${vid ? toHex(vid) : ''},${hexOf(location)}`)
  return `${hexOf(location)},${toHex(identifier)}${each.join('')}.${toHex(signature)}\n`
}

function verdict(rootKey: Bytes.Bytes, decode: () => readonly Macaroon.Macaroon[]): Verdict {
  try {
    const [token, ...discharges] = decode() as [Macaroon.Macaroon, ...Macaroon.Macaroon[]]
    Macaroon.verify(rootKey, token)
    Discharge.collect(token, Macaroon.chain(Macaroon.deriveKey(rootKey), token), discharges)
    return { read: toHex(sha256(utf8([token, ...discharges].map(reading).join('')))).slice(0, 16) }
  } catch (error) {
    if (!TallyError.is(error)) throw error
    const why = error.message.replace(/^third-party caveat \(.*\): /, '').replaceAll(/ \(byte \d+\)|^macaroon: /g, '')
    return { refused: why.replace(/^\d+|(?<=first byte )\w+/, 'N') }
  }
}

function npmAccepts({ rootKey, pieces }: Mutant): boolean {
  try {
    const [token, ...discharges] = pieces.map((piece) => npm.importMacaroon(piece))
    token!.verify(rootKey, () => null, discharges)
    return true
  } catch {
    return false
  }
}

/** Of docs/parsers.md: what we say, an example, and who accepts such. */
const rows = [
  ...readFileSync(join(root, 'docs/parsers.md'), 'utf8').matchAll(
    /^\| `([^`]+)` \| (?:`([^`]+)`)?.* \| ([a-z, ]+) \|$/gm,
  ),
].map(([, why, example, who]) => ({ why: why!, example, who: who!.split(', ') }))
const examples = rows.flatMap(({ why, example, who }) => (example === undefined ? [] : [{ why, example, who }]))
const exampleKey = utf8('root key')

test('ours never accepts what another refuses, and refuses more only as documented', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tallystick-parsers-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const started = performance.now()
  const cases = [...examples.map(({ example }) => spelled(example, exampleKey)), ...mutants(count, seeded(SEED))]
  const input = join(folder, 'cases')
  const line = ({ rootKey, pieces }: Mutant): string => [rootKey, ...pieces].map(toHex).join(' ')
  writeFileSync(input, cases.map((one) => `${line(one)}\n`).join(''))

  const available = peers('verdicts')
  const there = available.filter(({ name, needs, installed }) => {
    assert.ok(installed || !required.includes(name), `${name} is required and not installed: ${needs}`)
    return installed
  })
  const asked = there.map(async ({ name, answer }) => [name, await answer(input, join(folder, name))] as const)
  const apart = cases.map(({ rootKey, pieces }) => verdict(rootKey, () => pieces.map(Macaroon.decode)))
  const joined = cases.map(({ rootKey, pieces }) => verdict(rootKey, () => Macaroon.decodeAll(concat(...pieces))))
  const byNpm = cases.map((one) => (npmAccepts(one) ? '' : '-'))
  const answers = new Map(await Promise.all(asked))
  const goAnswers = answers.get('go')?.map((both) => both.split(' '))

  /** Who, how our parser was called, what we said, what they said for each case. An empty answer: accepted, unread. */
  const sides: readonly (readonly [string, readonly Verdict[], readonly string[] | undefined])[] = [
    ['go', apart, goAnswers?.map(([one]) => one!)],
    ['go', joined, goAnswers?.map(([, other]) => other!)],
    ['python', apart, answers.get('python')],
    ['npm', apart, byNpm],
  ]
  const refusedByUs = new Map<string, Map<string, number>>()
  const acceptedBy: string[][] = cases.map(() => [])
  for (const [name, ours, theirs] of sides) {
    if (!theirs) continue
    assert.equal(theirs.length, cases.length)
    for (const [i, mine] of ours.entries()) {
      const accepted = theirs[i] !== '-'
      const shown = (): string => `${line(cases[i]!)} (${cases[i]!.done.join(', ')})`
      if (accepted) acceptedBy[i]!.push(name)
      if ('read' in mine) {
        if (accepted) assert.ok(['', mine.read].includes(theirs[i]!), `${name} reads this in another way: ${shown()}`)
        else assert.fail(`ours accepts what ${name} refuses: ${shown()}`)
      } else if (accepted) {
        const whys = refusedByUs.get(mine.refused) ?? new Map<string, number>()
        refusedByUs.set(mine.refused, whys.set(name, (whys.get(name) ?? 0) + 1))
      }
    }
  }

  const accepted = apart.filter((one) => 'read' in one).length
  const untouched = cases.filter(({ done }) => done.length === 0).length
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  t.diagnostic(`${cases.length} tokens, ${untouched} as minted; ours accepts ${accepted}; ${seconds} s`)
  for (const [why, whom] of [...refusedByUs].toSorted(([a], [b]) => a.localeCompare(b)))
    t.diagnostic(`ours refuses: ${why}: ${[...whom].map(([name, times]) => `${name} accepts ${times}`).join(', ')}`)

  for (const [i, { why, example, who }] of examples.entries()) {
    assert.ok(
      [apart[i]!, joined[i]!].some((one) => 'refused' in one && one.refused === why),
      example,
    )
    if (answers.size === available.length)
      assert.ok(
        who.some((name) => acceptedBy[i]!.includes(name)),
        example,
      )
  }
  for (const [why, whom] of refusedByUs) {
    const row = rows.find((row) => row.why === why)
    const unwritten = [...whom.keys()].filter((name) => !row?.who.includes(name))
    assert.deepEqual(unwritten, [], `not in docs/parsers.md: ${why}`)
  }
  const missing = available.filter(({ installed }) => !installed)
  if (missing.length > 0) t.skip(`not asked: ${missing.map(({ needs }) => needs).join('; ')}`)
  if (count < 100_000 || missing.length > 0) return
  for (const { why, who } of rows)
    assert.deepEqual(who.toSorted(), [...(refusedByUs.get(why)?.keys() ?? [])].toSorted(), `docs/parsers.md: ${why}`)
})
