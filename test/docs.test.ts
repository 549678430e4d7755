/**
 * Documents are held to the code: their TypeScript compiles, their links and paths lead somewhere, their commands exist,
 * and every invariant of SECURITY.md names a test that is there.
 */
import assert from 'node:assert/strict'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { commands } from '../packages/tallyd/src/cli/commands.ts'
import { globalOptions } from '../packages/tallyd/src/cli/Command.ts'
import { configDocument } from '../packages/tallyd/src/config/document.ts'
import { Caveat } from 'tallystick/core'
import { cliDocument, snippetDocuments } from '../scripts/docs.ts'
import { bin, root, run } from '../scripts/steps.ts'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const documents = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md', 'packages/*/*.md'], { cwd: root })
  .map((path) => path.replaceAll('\\', '/'))
  .toSorted()

/** Fenced blocks of a language. */
function blocks(path: string, language: string): readonly string[] {
  return [...read(path).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1]!,
  )
}

const prose = (path: string): string => read(path).replaceAll(/^```[\s\S]*?^```/gm, '')

test('every TypeScript block compiles on its own', () => {
  // Below the root, so that package names resolve as they do for a user; dist/ is not committed.
  mkdirSync(join(root, 'dist'), { recursive: true })
  const folder = mkdtempSync(join(root, 'dist/docs-'))
  try {
    for (const path of documents)
      blocks(path, 'ts').forEach((code, i) =>
        writeFileSync(join(folder, `${path.replaceAll('/', '_')}.${i + 1}.ts`), code),
      )
    const compilerOptions = { noUnusedLocals: false }
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'] }),
    )
    const { ok, output } = run(bin('typescript', 'tsc'), '-p', relative(root, folder))
    assert.ok(ok, output)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('every relative link leads to a file and, with #, to a heading', () => {
  const broken: string[] = []
  for (const path of documents) {
    for (const [, link] of prose(path).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [file = '', anchor] = link!.split('#')
      const target = file === '' ? path : relative(root, join(root, dirname(path), file))
      if (!existsSync(join(root, target))) broken.push(`${path}: ${link} does not exist`)
      else if (anchor !== undefined && !anchors(target).includes(anchor))
        broken.push(`${path}: ${link} has no such heading`)
    }
  }
  assert.deepEqual(broken, [])
})

function anchors(path: string): readonly string[] {
  return [...prose(path).matchAll(/^#+ (.+)$/gm)].map((match) =>
    match[1]!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

test('every path in backticks exists', () => {
  const missing = documents.flatMap((path) =>
    [...prose(path).matchAll(/`((?:packages|test|scripts|docs|examples|bench)\/[\w./-]+)`/g)]
      .map((match) => match[1]!)
      .filter((named) => !existsSync(join(root, named)))
      .map((named) => `${path}: ${named} does not exist`),
  )
  assert.deepEqual(missing, [])
})

test('every file drawn in ARCHITECTURE.md exists', () => {
  const missing: string[] = []
  const folders: string[] = []
  for (const line of blocks('ARCHITECTURE.md', '').join('').split('\n')) {
    const [, indent, names] = /^( *)((?:[\w.-]+\/?)(?: [\w.-]+(?:\/|\.\w+))*)(?: {2}|$)/.exec(line) ?? []
    if (names === undefined || indent === undefined) continue
    const depth = indent.length / 2
    for (const name of names.split(' ')) {
      const path = [...folders.slice(0, depth), name.replace(/\/$/, '')].join('/')
      if (!existsSync(join(root, path))) missing.push(path)
      if (name.endsWith('/')) folders[depth] = name.slice(0, -1)
    }
  }
  assert.ok(folders.length > 0, 'ARCHITECTURE.md draws no tree')
  assert.deepEqual(missing, [])
})

test('every command and option shown exists', () => {
  const unknown: string[] = []
  for (const path of documents) {
    for (const line of ['sh', 'console', '']
      .flatMap((language) => blocks(path, language))
      .join('\n')
      .split('\n')) {
      for (const [, words] of line.matchAll(/(?:^|[|;&(] *|\$ |npx )tally ([^|;&)#]+)/g)) {
        const problem = problemWith(words!.trim().split(/\s+/))
        if (problem !== undefined) unknown.push(`${path}: ${line.trim()}: ${problem}`)
      }
    }
  }
  assert.deepEqual(unknown, [])
})

function problemWith(words: readonly string[]): string | undefined {
  if (['--help', '--version', 'help', 'version'].includes(words[0]!)) return undefined
  const command =
    commands.find(({ name }) => name === words.slice(0, 2).join(' ')) ?? commands.find(({ name }) => name === words[0])
  if (!command) return `there is no command ${words[0]}`
  const known = { ...globalOptions, ...command.options }
  const shorts = new Set(Object.values(known).map((option) => ('short' in option ? `-${option.short}` : '')))
  const odd = words.find((word) =>
    word.startsWith('--')
      ? !Object.hasOwn(known, word.slice(2).split('=')[0]!)
      : /^-\w$/.test(word) && !shorts.has(word),
  )
  return odd && `tally ${command.name} has no option ${odd}`
}

test('every npm script named exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const unknown = documents.flatMap((path) =>
    [...read(path).matchAll(/npm run ([a-z-]+)/g)]
      .filter((match) => !scripts[match[1]!])
      .map((match) => `${path}: ${match[0]}`),
  )
  assert.deepEqual(unknown, [])
})

test('every invariant of SECURITY.md names a test that exists', () => {
  const invariants = [...read('SECURITY.md').matchAll(/^(\d+)\. ([\s\S]*?)(?=^\d+\. |^#|(?![\s\S]))/gm)]
  const problems: string[] = []
  invariants.forEach(([, number, text], i) => {
    if (Number(number) !== i + 1) problems.push(`invariant ${number} is out of order`)
    const named = [...text!.matchAll(/\[([^\]]+)\]\(([^)]+\.test\.ts)\)/g)]
    if (named.length === 0) problems.push(`invariant ${number} names no test`)
    for (const [, title, path] of named)
      if (!existsSync(join(root, path!)) || !read(path!).includes(title!.replaceAll(/\s+/g, ' ')))
        problems.push(`invariant ${number}: there is no test "${title}" in ${path}`)
  })
  assert.ok(invariants.length >= 10)
  assert.deepEqual(problems, [])
})

test('docs/config.md is the schema, docs/cli.md the help', () => {
  assert.equal(read('docs/config.md'), configDocument(), 'run `npm run docs`')
  assert.equal(read('docs/cli.md'), cliDocument(), 'run `npm run docs`')
})

test('docs/forward-auth/ is what `tally gateway snippet` writes', () => {
  for (const [path, text] of snippetDocuments()) assert.equal(read(path), text, 'run `npm run docs`')
})

test('docs/caveats.md spells every caveat there is, and each as it is parsed', () => {
  const shown = [...read('docs/caveats.md').matchAll(/^\| `([^`]+=[^`]*)` \|/gm)].map((match) => match[1]!)
  for (const text of shown) assert.equal(Caveat.format(Caveat.parse(text)), text)
  const keys = shown.map((text) => text.slice(0, text.indexOf('=')).replace(/^search_|:.*$/g, ''))
  const rooms = globSync('packages/tallystick/src/core/caveats/*.ts', { cwd: root })
  const dimensions = rooms.flatMap((path) => /dimension: '(\w+)'/.exec(read(path))?.[1] ?? [])
  assert.deepEqual(keys.toSorted(), dimensions.toSorted())
})
