/**
 * What embedding us costs: bytes over the wire for a browser, megabytes on disk for a server. The budgets are what was
 * measured plus a little room; raising one is a decision that shows up here.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { dependency, root } from '../scripts/steps.ts'

/** [what a user writes, kB after minify and gzip it may come to] */
const budgets: Record<string, { code: string; kB: number }> = {
  'mint, attenuate, verify': { code: `export { Capability, Caveat, Key } from 'tallystick/core'`, kB: 34 },
  'read and write invoices': { code: `export { Invoice } from 'tallystick/core'`, kB: 28 },
  'all of core': { code: `export * from 'tallystick/core'`, kB: 100 },
  'verify a proof of the log': { code: `export { LogPolicy, LogProof } from 'tallystick/core'`, kB: 30 },
  'verify a receipt offline': { code: `export { Proof } from 'tallystick/core'`, kB: 47 },
  'the paying client': { code: `export { payingFetch } from 'tallystick/client'`, kB: 62 },
  'the gate for fetch handlers': { code: `export { createGate } from 'tallystick/server'`, kB: 74 },
}

for (const [name, { code, kB }] of Object.entries(budgets)) {
  test(`${name}: at most ${kB} kB`, async (t) => {
    const result = await build({
      stdin: { contents: code, resolveDir: root, loader: 'ts' },
      bundle: true,
      minify: true,
      write: false,
      format: 'esm',
      platform: 'browser',
      target: 'es2024',
      conditions: ['source'],
      // npm keeps two versions of it here because of a development tool; a user gets one
      alias: { '@noble/hashes': dependency('tallystick', '@noble/hashes') },
      logLevel: 'silent',
    })
    const size = gzipSync(result.outputFiles[0]!.contents, { level: 9 }).length / 1000
    t.diagnostic(`${name}: ${size.toFixed(1)} kB min+gz`)
    assert.ok(size <= kB, `${name} is ${size.toFixed(1)} kB min+gz, over its budget of ${kB} kB`)
  })
}

const staged = join(root, 'dist/tallystick')

test(
  'the library installs at 5 MB or less with its dependencies',
  { skip: !existsSync(staged) && 'needs `npm run build`' },
  (t) => {
    const manifest = JSON.parse(readFileSync(join(staged, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    const folders = [staged, ...Object.keys(manifest.dependencies).map((name) => dependency('tallystick', name))]
    const sizes = folders.map((folder) => ({ name: relative(root, folder), bytes: sizeOf(folder) }))
    const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0)
    for (const { name, bytes } of sizes) t.diagnostic(`${name} ${(bytes / 1e6).toFixed(2)} MB`)
    t.diagnostic(`together ${(total / 1e6).toFixed(2)} MB in ${sizes.length} packages`)
    assert.ok(sizes.length <= 5, `${sizes.length - 1} dependencies, four at most`)
    assert.ok(total <= 5e6, `the install is ${(total / 1e6).toFixed(2)} MB, over 5 MB`)
  },
)

function sizeOf(path: string): number {
  if (!statSync(path).isDirectory()) return statSync(path).size
  const names = readdirSync(path).filter((name) => name !== 'node_modules')
  return names.reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}
