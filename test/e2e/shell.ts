/** A second terminal: runs command lines as they were printed, in a directory made like a clone after `npm ci`. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { tally } from '../support/up.ts'

export interface Result {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Has node_modules/.bin/tally, so that `npx tally` finds it, and nothing else. */
export function workplace(): { readonly dir: string } & Disposable {
  const dir = mkdtempSync(path.join(tmpdir(), 'tally-e2e-'))
  mkdirSync(path.join(dir, 'node_modules', '.bin'), { recursive: true })
  symlinkSync(tally, path.join(dir, 'node_modules', '.bin', 'tally'))
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) }
}

/** The Node that runs the tests is the one that scripts find. */
const env = { ...process.env, PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env['PATH']}` }

export function sh(command: string, cwd: string): Promise<Result> {
  return finished('/bin/sh', ['-c', command], cwd)
}

export function run(args: readonly string[], cwd: string): Promise<Result> {
  return finished(process.execPath, [tally, ...args], cwd)
}

function finished(program: string, args: readonly string[], cwd: string): Promise<Result> {
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) =>
      resolve({ code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }),
    )
  })
}

/** The command under a line of the banner. */
export function printed(output: readonly string[], beginning: string): string {
  const line = output.map((text) => text.trim()).find((text) => text.startsWith(beginning))
  if (line === undefined) throw new Error(`nothing printed begins with ${beginning}:\n${output.join('\n')}`)
  return line
}
