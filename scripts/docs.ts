/**
 * `npm run docs [-- --check]`: everything in docs/ that is made from code, so that it cannot drift from it.
 * errors.md from the error table, config.md from the schema of tally.yaml, cli.md from the commands, forward-auth/ from its
 * tally.yaml, api/*.d.ts from the public declarations.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { errors } from 'tallystick/core'
import { commands } from '../packages/tallyd/src/cli/commands.ts'
import { snippetOf } from '../packages/tallyd/src/cli/gatewaySnippet.ts'
import { commandHelp, programHelp } from '../packages/tallyd/src/cli/help.ts'
import { loadConfig } from '../packages/tallyd/src/config.ts'
import { configDocument } from '../packages/tallyd/src/config/document.ts'
import { hostileDocument } from '../test/hostile/document.ts'
import { bin, root, run } from './steps.ts'

/** Path under the root → what the file has to say. */
export type Generated = ReadonlyMap<string, string>

export function errorsDocument(): string {
  const rows = Object.entries(errors).map(([code, { status, fix }]) => `| \`${code}\` | ${status} | ${fix} |`)
  return [
    '# Errors',
    '',
    'Made by `npm run docs` from `packages/tallystick/src/core/errors.ts`. Every error of the library, the gateway and the',
    '`tally` command has one of these codes. Over HTTP it arrives as `application/problem+json` (RFC 9457) with the code in',
    '`code`, what happened in `detail` and what to do in `fix`; in code it is a `TallyError` with the same fields. Wrong',
    'arguments to the library are a `TypeError` instead.',
    '',
    '| code | HTTP status | what to do |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}

/** Entry points, in the order of the manifest. A declaration is printed under the first one that reaches it. */
function entries(): readonly string[] {
  const manifest = JSON.parse(readFileSync(join(root, 'packages/tallystick/package.json'), 'utf8')) as {
    exports: object
  }
  return Object.keys(manifest.exports)
    .filter((name) => name !== './package.json')
    .map((name) => name.slice(2))
}

/** The public declarations of the library, one file per entry point, without comments: what a release may not change by accident. */
export function apiDocuments(): Generated {
  const out = mkdtempSync(join(tmpdir(), 'tally-api-'))
  try {
    const options = ['--declaration', '--emitDeclarationOnly', '--removeComments', '--outDir', out]
    const { ok, output } = run(bin('typescript', 'tsc'), '-p', 'packages/tallystick/tsconfig.build.json', ...options)
    if (!ok) throw new Error(`tsc could not make declarations:\n${output}`)
    const seen = new Set<string>()
    const documents = new Map<string, string>()
    for (const entry of entries()) {
      const start = [`${entry}/index.d.ts`, `${entry}.d.ts`]
        .map((path) => join(out, path))
        .find((path) => existsSync(path))
      if (start === undefined)
        throw new Error(`tallystick/${entry} is exported by its package.json, but there is no such file`)
      const parts = reach(start, seen).map((path) => {
        const name = relative(out, path).replaceAll('\\', '/')
        return `// ${name}\n${readFileSync(path, 'utf8').trim()}\n`
      })
      documents.set(`docs/api/${entry.replaceAll('/', '-')}.d.ts`, parts.join('\n'))
    }
    return documents
  } finally {
    rmSync(out, { recursive: true })
  }
}

/** A declaration file and all it imports from its own package, depth first, each once. */
function reach(path: string, seen: Set<string>): readonly string[] {
  if (seen.has(path)) return []
  seen.add(path)
  const specifiers = [...readFileSync(path, 'utf8').matchAll(/(?:from|import\()\s*["'](\.[^"']+)["']/g)].map(
    (match) => match[1]!,
  )
  const imported = specifiers.map((specifier) => resolve(dirname(path), specifier.replace(/\.[jt]s$/, '.d.ts')))
  return [path, ...imported.flatMap((next) => reach(next, seen))]
}

/** `--help` of every command on one page, without colour. */
export function cliDocument(): string {
  const plain = (text: string): string => text
  const style = { bold: plain, dim: plain, good: plain, warn: plain, bad: plain }
  const fence = (text: string): string => ['```', text.trimEnd().replaceAll(/ +$/gm, ''), '```', ''].join('\n')
  return [
    '# The tally command',
    '',
    'Made by `npm run docs` from what `tally --help` prints. In a clone of the repository write `npx tally`.',
    '',
    fence(programHelp(commands, style)),
    ...commands.map((command) => `## tally ${command.name}\n\n${fence(commandHelp(command, style))}`),
  ].join('\n')
}

/** What `tally gateway snippet` makes of the tally.yaml beside it. */
export function snippetDocuments(): Generated {
  const folder = 'docs/forward-auth'
  const config = loadConfig(readFileSync(join(root, folder, 'tally.yaml'), 'utf8'), 'tally.yaml')
  const app = 'http://127.0.0.1:8123'
  const names = {
    nginx: 'tally.conf',
    caddy: 'Caddyfile',
    haproxy: 'haproxy.cfg',
    'haproxy-lua': 'tally.lua',
    traefik: 'traefik.yaml',
    envoy: 'envoy.yaml',
  }
  return new Map(
    Object.entries(names).map(([proxy, name]) => [`${folder}/${name}`, snippetOf(proxy, config, { service: [], app })]),
  )
}

export function generate(): Generated {
  return new Map([
    ['docs/errors.md', errorsDocument()],
    ['docs/config.md', configDocument()],
    ['docs/hostile.md', hostileDocument()],
    ['docs/cli.md', cliDocument()],
    ...snippetDocuments(),
    ...apiDocuments(),
  ])
}

/** Files that differ from what they should say, or should not be there. */
export function stale(generated: Generated): readonly string[] {
  const wrong = [...generated].filter(
    ([path, text]) => !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== text,
  )
  return [...wrong.map(([path]) => path), ...leftovers(generated)]
}

function leftovers(generated: Generated): readonly string[] {
  const folder = join(root, 'docs/api')
  const present = existsSync(folder) ? readdirSync(folder).map((name) => `docs/api/${name}`) : []
  return present.filter((path) => !generated.has(path))
}

if (import.meta.main) {
  const generated = generate()
  const wrong = stale(generated)
  if (process.argv.includes('--check')) {
    for (const path of wrong)
      console.error(`${path} is out of date: run \`npm run docs\` and read the diff before you commit it.`)
    if (wrong.length > 0) process.exitCode = 1
  } else {
    mkdirSync(join(root, 'docs/api'), { recursive: true })
    for (const path of leftovers(generated)) rmSync(join(root, path))
    for (const [path, text] of generated) writeFileSync(join(root, path), text)
    console.log(wrong.length === 0 ? 'docs/ was up to date.' : `Wrote ${wrong.join(', ')}.`)
  }
}
