/** Runs the real program, `tally up --demo`, in a child process, for tests that want everything between the two ends. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'

export const root = path.resolve(import.meta.dirname, '../..')
export const tally = path.join(root, 'packages/tallyd/bin/tally.js')

export interface Running extends AsyncDisposable {
  readonly url: string
  readonly state: string
  readonly output: readonly string[]
  readonly child: ChildProcess
  /** Resolves with the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export async function up(options: { state?: string; args?: readonly string[]; cwd?: string } = {}): Promise<Running> {
  const state = options.state ?? mkdtempSync(path.join(tmpdir(), 'tally-'))
  const args = options.args ?? ['up', '--demo', '--port', '0', '--state', state]
  const child = spawn(process.execPath, [tally, ...args], {
    cwd: options.cwd ?? root,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output: string[] = []
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const url = await new Promise<string>((resolve, reject) => {
    let found: string | undefined
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => {
        output.push(line)
        found ??= /curl -i (http:\/\/[^/\s]+)/.exec(line)?.[1]
        // The last line of the banner, so that the whole of it can be read.
        if (found !== undefined && line.startsWith('Ctrl-C')) resolve(found)
      })
    void exited.then((code) => reject(new Error(`tally up ended with ${code}:\n${output.join('\n')}`)))
  })
  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    child.kill(signal)
    return exited
  }
  return {
    url,
    state,
    output,
    child,
    stop,
    async [Symbol.asyncDispose]() {
      await stop('SIGKILL')
      if (options.state === undefined) rmSync(state, { recursive: true, force: true })
    },
  }
}
