/**
 * Installs what `npm run build` laid out as a user would have it, outside of this repo, and starts it: every entry point
 * of the library can be imported, and `tally` runs from its dist. Dependencies are linked from here instead of fetched.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packages } from './build.ts'
import { root } from './steps.ts'

const home = mkdtempSync(join(tmpdir(), 'tally-smoke-'))
try {
  const modules = join(home, 'node_modules')
  mkdirSync(modules)
  for (const name of packages) cpSync(join(root, 'dist', name), join(modules, name), { recursive: true })
  for (const name of readdirSync(join(root, 'node_modules')))
    if (!name.startsWith('.') && !packages.some((own) => own === name))
      symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction')

  const manifest = JSON.parse(readFileSync(join(modules, 'tallystick/package.json'), 'utf8')) as { exports: object }
  const entries = Object.keys(manifest.exports).filter((entry) => entry !== './package.json')
  // testing registers tests when it is used; it and the rest must at least load
  const imports = [...entries.map((entry) => `tallystick/${entry.slice(2)}`), 'tallystick-ldk']
  node('--input-type=module', '--eval', imports.map((name) => `await import('${name}')`).join('\n'))
  node(join(modules, 'tallyd/bin/tally.js'), '--version')
} finally {
  rmSync(home, { recursive: true })
}

function node(...args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: home, encoding: 'utf8' })
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}\n${stdout}\n${stderr}`)
}
