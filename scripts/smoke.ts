/**
 * Installs what `npm run build` laid out as a user would have it, outside of this repo, and starts it: every entry point
 * of the library can be imported, and `tally` runs from its dist. Dependencies are linked from here instead of fetched.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { packages } from './build.ts'
import { dependency, root } from './steps.ts'

const home = mkdtempSync(join(tmpdir(), 'tally-smoke-'))
try {
  const modules = join(home, 'node_modules')
  mkdirSync(modules)
  for (const name of packages) {
    const folder = join(modules, name)
    cpSync(join(root, 'dist', name), folder, { recursive: true })
    for (const needed of dependenciesOf(folder)) link(dependency(name, needed), join(folder, 'node_modules', needed))
  }

  const manifest = JSON.parse(readFileSync(join(modules, 'tallystick/package.json'), 'utf8')) as { exports: object }
  const entries = Object.keys(manifest.exports).filter((entry) => entry !== './package.json')
  // testing registers tests when it is used; it and the rest must at least load
  const imports = [...entries.map((entry) => `tallystick/${entry.slice(2)}`), 'tallystick-ldk']
  node('--input-type=module', '--eval', imports.map((name) => `await import('${name}')`).join('\n'))
  node(join(modules, 'tallyd/bin/tally.js'), '--version')
} finally {
  rmSync(home, { recursive: true })
}

/** Ours are beside it already; nothing that the manifest does not name can be found. */
function dependenciesOf(folder: string): readonly string[] {
  const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>
  }
  return Object.keys(dependencies).filter((name) => !packages.some((own) => own === name))
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(target, path, 'junction')
}

function node(...args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: home, encoding: 'utf8' })
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}\n${stdout}\n${stderr}`)
}
