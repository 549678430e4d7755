/** The error table is a promise: each code happens, each says what to do, and the page about them is the table. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { errors, TallyError, type ErrorCode } from 'tallystick/core'
import { errorsDocument } from '../scripts/docs.ts'

const root = dirname(import.meta.dirname)
const files = globSync(['packages/*/src/**/*.ts', 'test/**/*.ts'], { cwd: root })
const texts = files.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
const tests = texts.filter(({ path }) => path.endsWith('.test.ts') && !path.endsWith('errors.test.ts'))
const conformance = texts.filter(({ path }) => path.includes('/src/testing/'))
const code = texts.filter(
  ({ path }) => path.startsWith('packages/') && !path.endsWith('.test.ts') && !path.endsWith('core/errors.ts'),
)

const mentions = (haystack: typeof texts, name: string): boolean =>
  haystack.some(({ text }) => new RegExp(`\\b${name}\\b`).test(text))

test('every error code is thrown somewhere', () => {
  const unused = Object.keys(errors).filter((name) => !mentions(code, name))
  assert.deepEqual(unused, [], 'remove these from core/errors.ts, or throw them')
})

test('every error code is expected by some test', () => {
  const untested = Object.keys(errors).filter((name) => !mentions([...tests, ...conformance], name))
  assert.deepEqual(untested, [], 'write a test that provokes each of these')
})

test('every fix is a sentence that says what to do, and every status is an error', () => {
  for (const [name, { status, fix }] of Object.entries(errors)) {
    assert.match(fix, /^[A-Z`].{15,}[.`]$/s, `${name}: write the fix as a sentence`)
    assert.doesNotMatch(fix, /\|/, `${name}: a bar breaks the table in docs/errors.md`)
    for (const [page] of fix.matchAll(/docs\/[\w.-]+\.md/g))
      assert.ok(existsSync(join(root, page)), `${name}: there is no ${page}`)
    assert.ok(status >= 400 && status <= 599, `${name}: ${status} is not an error`)
  }
})

test('docs/errors.md is the table', () => {
  const written = readFileSync(join(root, 'docs/errors.md'), 'utf8')
  assert.equal(written, errorsDocument(), 'run `npm run docs`')
})

test('the error that a problem document shows carries the fix, and nothing of its cause', () => {
  const name: ErrorCode = 'PREIMAGE_MISMATCH'
  const error = new TallyError(name, 'the preimage does not hash to the payment hash', {
    cause: new Error('ab'.repeat(32)),
  })
  assert.equal(error.toProblem().fix, errors[name].fix)
  assert.doesNotMatch(JSON.stringify(error.toProblem()), /abab/)
})
