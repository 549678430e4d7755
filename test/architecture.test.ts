/**
 * ARCHITECTURE.md as a table: who may import whom, and the few rules about files that reading alone would not keep.
 * Every failure says what to do, because whoever meets it is in the middle of something else.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'

const root = dirname(import.meta.dirname)

interface Layer {
  /** Files whose path under packages/ starts with one of these. The first layer that matches owns the file. */
  readonly files: readonly string[]
  /** Path prefixes under packages/, package names, or `node:`. A layer may always import itself. */
  readonly imports: readonly string[]
  /** The same, for `import type` only: these leave no trace at run time. */
  readonly types?: readonly string[]
}

const CORE = 'tallystick/src/core/'
const PORTS = ['Lightning', 'Store', 'Jar', 'LogStore', 'WitnessStore', 'Book'].map(
  (port) => `tallystick/src/${port === 'Lightning' ? 'lightning' : 'storage'}/${port}.ts`,
)
const LIBRARY = [
  'tallystick/core',
  'tallystick/lightning',
  'tallystick/storage',
  'tallystick/server',
  'tallystick/client',
  'tallystick/node',
]
const BASE = ['config', 'state'].map((name) => `tallyd/src/${name}`)

const layers: Record<string, Layer> = {
  core: { files: [CORE], imports: ['@noble/', '@scure/'] },
  'lightning/walletd': {
    files: ['tallystick/src/lightning/walletd'],
    imports: [CORE, 'tallystick/src/lightning/', 'node:'],
  },
  'lightning/lnd': {
    files: ['tallystick/src/lightning/lnd'],
    imports: [CORE, 'tallystick/src/lightning/', 'node:'],
  },
  lightning: { files: ['tallystick/src/lightning/'], imports: [CORE, '@noble/', '@scure/'] },
  'storage/sqlite': {
    files: ['tallystick/src/storage/sqlite'],
    imports: [CORE, 'tallystick/src/storage/', 'node:'],
  },
  storage: { files: ['tallystick/src/storage/'], imports: [CORE] },
  server: { files: ['tallystick/src/server/'], imports: [CORE], types: PORTS },
  client: { files: ['tallystick/src/client/'], imports: [CORE], types: PORTS },
  testing: { files: ['tallystick/src/testing/'], imports: [CORE, 'node:'], types: PORTS },
  adapters: {
    files: ['hono', 'express', 'fastify', 'node'].map((name) => `tallystick/src/${name}.ts`),
    imports: [CORE, 'tallystick/src/server/', 'tallystick/src/node.ts'],
    types: ['hono', 'express', 'fastify', 'node:'],
  },
  'the embedded network': {
    files: ['tallystick-ldk/src/'],
    imports: ['tallystick/core', 'tallystick/lightning', 'lightningdevkit', 'node:', '@noble/'],
  },
  'feature gateway': { files: ['tallyd/src/gateway/'], imports: [...LIBRARY, ...BASE, 'node:', '@opentelemetry/api'] },
  'feature wallet': { files: ['tallyd/src/wallet/'], imports: [...LIBRARY, ...BASE, 'node:'] },
  'feature operate': {
    files: ['tallyd/src/operate/'],
    imports: [...LIBRARY, ...BASE, 'node:', 'prom-client'],
    types: ['tallyd/src/gateway/'],
  },
  'feature demo': { files: ['tallyd/src/demo/'], imports: [...LIBRARY, ...BASE, 'node:', 'uqr'] },
  'config and state': {
    files: ['tallyd/src/config', 'tallyd/src/state'],
    imports: [...LIBRARY, 'node:', 'pg', 'yaml', 'zod'],
  },
  daemon: { files: ['tallyd/src/daemon'], imports: ['tallyd/src/', ...LIBRARY, 'tallystick-ldk', 'node:'] },
  'cli/up, cli/gateway and cli/doctor': {
    files: ['up', 'gateway', 'doctor'].map((name) => `tallyd/src/cli/${name}`),
    imports: ['tallyd/src/cli/', ...BASE, 'tallyd/src/daemon', ...LIBRARY, 'node:', 'uqr'],
    types: ['tallyd/src/'],
  },
  cli: {
    files: ['tallyd/src/cli/', 'tallyd/src/main.ts'],
    imports: ['tallyd/src/cli/', ...BASE, ...LIBRARY, 'node:', 'uqr', 'yaml'],
    types: ['tallyd/src/'],
  },
}

const sources = globSync('packages/*/src/**/*.ts', { cwd: root }).map((path) => path.replaceAll('\\', '/'))
const scripts = globSync(['{scripts,test,bench,examples}/**/*.{ts,mjs}', 'packages/*/bin/*.js'], { cwd: root })
const documents = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md', 'packages/*/*.md'], { cwd: root })
const isTest = (path: string): boolean => path.endsWith('.test.ts')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

interface Import {
  readonly target: string
  readonly typeOnly: boolean
}

/** Static, dynamic and re-exporting imports. Comments are dropped first: they show imports that are meant for users. */
function importsOf(path: string): readonly Import[] {
  const code = read(path)
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/^\s*\/\/.*$/gm, '')
  const found = code.matchAll(
    /(?:^|\n)\s*(?:import|export)\s+(type\s)?(?:[^'"()]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g,
  )
  return [...found].map((match) => {
    const specifier = match[2] ?? match[3]!
    const target = specifier.startsWith('.')
      ? relative(join(root, 'packages'), join(root, dirname(path), specifier)).replaceAll('\\', '/')
      : specifier
    return { target, typeOnly: match[1] !== undefined }
  })
}

function layerOf(path: string): [name: string, layer: Layer] | undefined {
  const inPackages = path.replace(/^packages\//, '')
  return Object.entries(layers).find(([, layer]) => layer.files.some((prefix) => inPackages.startsWith(prefix)))
}

const within = (target: string, allowed: readonly string[]): boolean =>
  allowed.some(
    (prefix) =>
      target === prefix ||
      target.startsWith(/[/:.]$/.test(prefix) ? prefix : `${prefix}/`) ||
      (prefix.includes('/src/') && target.startsWith(prefix)),
  )

test('every file imports only what its layer may', () => {
  const wrong: string[] = []
  for (const path of sources.filter((file) => !isTest(file))) {
    const found = layerOf(path)
    if (!found) {
      wrong.push(
        `${path} belongs to no layer: add its folder to the table in test/architecture.test.ts and to ARCHITECTURE.md.`,
      )
      continue
    }
    const [name, layer] = found
    for (const { target, typeOnly } of importsOf(path)) {
      if (within(target, [...layer.files, ...layer.imports])) continue
      if (typeOnly && within(target, layer.types ?? [])) continue
      const byType = within(target, layer.types ?? [])
      wrong.push(
        byType
          ? `${path} imports ${target} at run time, but ${name} may know only its types: write \`import type\`, and get the value passed in.`
          : `${path} imports ${target}, but ${name} may import only [${layer.imports.join(', ')}]. Move the shared piece down, or pass it in.`,
      )
    }
  }
  assert.deepEqual(wrong, [])
})

test('what a package imports at run time is in its own package.json', () => {
  const wrong: string[] = []
  for (const path of sources.filter((file) => !isTest(file))) {
    const folder = path.split('/').slice(0, 2).join('/')
    const manifest = JSON.parse(read(`${folder}/package.json`)) as {
      name: string
      dependencies?: Record<string, string>
      optionalDependencies?: Record<string, string>
    }
    const declared = new Set([
      manifest.name,
      ...Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }),
    ])
    for (const { target, typeOnly } of importsOf(path)) {
      if (typeOnly || target.startsWith('node:') || target.startsWith('tallystick/src/')) continue
      if (/^(?:tallyd|tallystick-ldk)\/src\//.test(target)) continue
      const name = target
        .split('/')
        .slice(0, target.startsWith('@') ? 2 : 1)
        .join('/')
      if (!declared.has(name))
        wrong.push(`${path} imports ${name}: add it to "dependencies" of ${folder}/package.json, or do without.`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('no file is over 600 lines', () => {
  // docs/cli.md is made of one file per command.
  const long = [...sources, ...scripts, ...documents]
    .filter((path) => path !== 'docs/cli.md')
    .map((path) => ({ path, lines: read(path).split('\n').length - 1 }))
    .filter(({ lines }) => lines > 600)
    .map(({ path, lines }) => `${path} has ${lines} lines: split it, one noun per file.`)
  assert.deepEqual(long, [])
})

interface Rule {
  readonly name: string
  readonly files: readonly string[]
  readonly pattern: RegExp
  readonly fix: string
}

const everything = [...sources, ...scripts, ...documents].filter((path) => path !== 'test/architecture.test.ts')
const rules: readonly Rule[] = [
  {
    name: 'words that promise more than anything can keep',
    // AGENTS.md lists them in order to forbid them.
    files: everything.filter((path) => path !== 'AGENTS.md'),
    pattern: /unforgeable|trustless|tamper-?proof|unhackable|military-grade|\bguaranteed\b|\b(?:nobody|no one) can\b/i,
    fix: 'say who can still do what',
  },
  {
    name: 'notes to self',
    files: everything,
    pattern: /\b(?:TODO|FIXME|XXX)\b/,
    fix: 'do it now, or leave it out',
  },
  {
    name: 'the real clock in core',
    files: sources.filter((path) => path.includes('/src/core/') && !isTest(path)),
    pattern: /Date\.now\(|new Date\(\)|performance\.now\(/,
    fix: 'take `now: Date` as an argument',
  },
  {
    name: 'Buffer in the library, which also runs where there is none',
    files: sources.filter((path) => /tallystick\/src\/(?:core|client|server|lightning)\//.test(path) && !isTest(path)),
    pattern: /\bBuffer\b/,
    fix: 'use Uint8Array and core/bytes.ts',
  },
  {
    name: 'default exports',
    files: sources,
    pattern: /^export default\b/m,
    fix: 'export it by name',
  },
  {
    name: 'tests that switch the others off',
    files: everything.filter(isTest),
    pattern: /\b(?:test|it|describe|suite)\.only\(|\bonly: true\b/,
    fix: 'remove `only`',
  },
  {
    name: 'errors hidden from the type checker',
    files: everything,
    pattern: /@ts-(?:ignore|nocheck)/,
    fix: 'use @ts-expect-error with the reason, or better types',
  },
]

for (const rule of rules) {
  test(`none of: ${rule.name}`, () => {
    const hits = rule.files.flatMap((path) => {
      const lines = read(path).split('\n')
      return lines.flatMap((line, i) =>
        rule.pattern.test(line) ? [`${path}:${i + 1} ${line.trim()}: ${rule.fix}.`] : [],
      )
    })
    assert.deepEqual(hits, [])
  })
}

test('the check itself sees imports of every form', () => {
  const seen = importsOf('test/architecture.test.ts').map(({ target }) => target)
  assert.deepEqual(seen, ['node:assert/strict', 'node:fs', 'node:path', 'node:test'])
  assert.ok(within('tallystick/core', LIBRARY) && !within('tallystick/corex', LIBRARY))
})
