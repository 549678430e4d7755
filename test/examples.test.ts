/**
 * Every example, and all code in the pages of docs/, is run, and prints what is said of it. Commands: test/e2e/pages.test.ts;
 * those with a word to fill in (`sh`): test/docs.test.ts.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { LogPolicy } from 'tallystick/core'
import { loadConfig } from '../packages/tallyd/src/config.ts'
import { assertPrints, fences, pages } from './support/pages.ts'
import { root } from './support/up.ts'

// Below the root, so that package names resolve as they do for a user; dist/ is not committed.
mkdirSync(path.join(root, 'dist'), { recursive: true })
const folder = mkdtempSync(path.join(root, 'dist/pages-'))
after(() => rmSync(folder, { recursive: true }))

/** What a program prints. Fails with its errors. */
async function printed(file: string): Promise<string> {
  // Files that it keeps are its own, and go with the folder.
  const cwd = mkdtempSync(path.join(folder, 'cwd-'))
  const child = spawn(process.execPath, ['--conditions=source', file], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  assert.equal(code, 0, err)
  return out
}

const examples: Record<string, string> = {
  'buy-with-budget.ts': `\
call 1: 200, paid 12 sat
call 2: 200, already bought
call 3: 200, paid 12 sat
call 4: 200, already bought
call 5: BUDGET_EXCEEDED: of 30 sat per day, 24 sat are spent or reserved, and this needs 13 sat with its fee
spent 24 sat
`,
  'embedded-network.ts': `\
invoice: paid 2000 sat, fee 200 msat
hold, settled: paid
hold, cancelled: failed: the payee refused the money: …
moved by the two: 500050 msat
`,
  'narrow-and-hand-on.ts': `\
intern /forecast/rome: 403 CAVEAT_REFUSED: caveat \`path=/forecast/oslo\` (link intern): the path is /forecast/rome
intern /forecast/oslo: 200 Sunny.
intern /forecast/oslo: 200 Sunny.
intern /forecast/oslo: 402 CAPABILITY_SPENT: \`uses=2\` is used up: 0 left, 1 needed
I /forecast/rome: 200 Sunny.
I /forecast/rome: 200 Sunny.
I /forecast/rome: 200 Sunny.
I /forecast/rome: 402 CAPABILITY_SPENT: \`uses=5\` is used up: 0 left, 1 needed
`,
  'sell-a-handler.ts': `\
402 Payment Required
200 Sunny. You paid 10000 msat for /oslo.
402 CAPABILITY_SPENT
`,
}

/** A page may show only the keys that it is about: the rest of the file is then the least that there can be. */
function whole(yaml: string): string {
  const rest = {
    lightning: 'lightning: sim',
    services: 'services: { api: { upstream: http://127.0.0.1:3000, routes: { GET /**: free } } }',
  }
  if (/^services:/m.test(yaml)) return yaml
  const missing = Object.entries(rest).filter(([key]) => !new RegExp(`^${key}:`, 'm').test(yaml))
  return `${[yaml.trimEnd(), ...missing.map(([, text]) => text)].join('\n')}\n`
}

describe('examples', { concurrency: 2 }, () => {
  for (const [name, output] of Object.entries(examples))
    test(`${name} prints what it should`, { timeout: 60_000 }, async () => {
      const file = path.join(root, 'examples', name)
      assertPrints(await printed(file), output, `examples/${name}`)
      assert.ok(readFileSync(file, 'utf8').split('\n').length <= 41, 'an example is read at one glance: 40 lines')
    })

  test('there is no other', () => {
    assert.deepEqual(
      globSync('*.ts', { cwd: path.join(root, 'examples') }).toSorted(),
      Object.keys(examples).toSorted(),
    )
  })

  for (const name of globSync('*.yaml', { cwd: path.join(root, 'examples') }))
    test(`${name} is a config`, () => {
      loadConfig(readFileSync(path.join(root, 'examples', name), 'utf8'), name)
    })
})

const tests = sources(['test/**/*.test.ts', 'packages/*/src/**/*.test.ts'])
const programs = sources(['test/interop/peers/*.go'])

function sources(patterns: readonly string[]): readonly string[] {
  return globSync(patterns, { cwd: root }).map((file) => readFileSync(path.join(root, file), 'utf8'))
}

/** Whether one of the files has every line, comments apart. */
function quotedFrom(text: string, files: readonly string[]): boolean {
  const lines = text.split('\n').map((line) => line.replace(/ +\/\/ .*/, '').trim())
  return files.some((file) => lines.every((line) => file.includes(line)))
}

describe('code in docs/', { concurrency: 2 }, () => {
  for (const page of pages()) {
    // A story: its commands build on one another, so e2e/delegationPage.test.ts runs them as a whole.
    if (page === 'docs/delegation.md') continue
    const all = fences(page)
    test(`${page}: every block is of a kind that is run`, () => {
      const odd = all.filter(({ language, text }, i) => {
        if (language === 'text') return all[i - 1]?.language !== 'ts' && !quotedFrom(text, tests)
        if (language === 'go') return !quotedFrom(text, programs)
        if (language === 'haproxy') return !tests.some((test) => test.includes('```haproxy') && test.includes(page))
        return !['ts', 'yaml', 'policy', 'console', 'sh'].includes(language)
      })
      assert.deepEqual(
        odd.map(({ at }) => at),
        [],
        'expected ts, text right behind it for what it prints, text that one test expects line by line, yaml, policy, console, sh, haproxy that a test takes out of the page, or go out of test/interop/peers',
      )
    })

    all.forEach(({ at, language, text }, i) => {
      const next = all[i + 1]
      if (language === 'yaml') test(`${at} is a config`, () => void loadConfig(whole(text), at))
      if (language === 'policy') test(`${at} is a policy`, () => void LogPolicy.parse(text))
      if (language !== 'ts') return
      test(`${at} runs and prints what is under it`, { timeout: 60_000 }, async () => {
        const file = path.join(folder, `${path.basename(page, '.md')}-${i}.ts`)
        writeFileSync(file, text)
        assertPrints(await printed(file), next?.language === 'text' ? next.text : '', at)
      })
    })
  }
})
