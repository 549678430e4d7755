/** Runs one tool of node_modules and reports it as a line: what `check`, `fix` and `build` are made of. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const root = dirname(import.meta.dirname)

/** The script behind a command of a dependency, to be run by this Node, so that no PATH or shell is involved. */
export function bin(dependency: string, command: string = dependency): string {
  const folder = join(root, 'node_modules', dependency)
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    bin: string | Record<string, string>
  }
  const path = typeof manifest.bin === 'string' ? manifest.bin : manifest.bin[command]
  if (path === undefined) throw new TypeError(`${dependency} has no command ${command}`)
  return join(folder, path)
}

/** Where a package of ours finds a dependency: beside its manifest, else at the root. */
export function dependency(of: string, name: string): string {
  const own = join(root, 'packages', of, 'node_modules', name)
  return existsSync(own) ? own : join(root, 'node_modules', name)
}

export interface Outcome {
  readonly ok: boolean
  readonly output: string
}

/** Runs a script with this Node at the root of the repo. */
export function run(script: string, ...args: readonly string[]): Outcome {
  const result = spawnSync(process.execPath, ['--conditions=source', script, ...args], { cwd: root, encoding: 'utf8' })
  const output = [result.stdout, result.stderr, result.error?.message, result.signal].filter(Boolean).join('\n').trim()
  return { ok: result.status === 0, output }
}

/** Prints "ok/failed, name, seconds", and the output only of what failed. */
export function step(name: string, work: () => Outcome): boolean {
  const started = performance.now()
  const { ok, output } = work()
  console.log(`${ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(44)} ${((performance.now() - started) / 1000).toFixed(1)} s`)
  if (!ok) console.log(`\n${output}\n`)
  return ok
}
