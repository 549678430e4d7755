/** Other people's code where it is installed, as a process that answers each line of a file with a line. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../scripts/steps.ts'

export interface Peer {
  readonly name: string
  readonly needs: string
  readonly installed: boolean
  /** Answers for the lines of `input`; both are paths. */
  readonly answer: (input: string, output: string) => Promise<readonly string[]>
}

const gopath = '/usr/share/gocode'
const works = (command: string, ...args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).status === 0
const python = ['/usr/bin/python3', 'python3'].find((command) => works(command, '-c', 'import pymacaroons'))
const go = existsSync(`${gopath}/src/gopkg.in/macaroon.v2`)
  ? ['go', '/usr/local/go/bin/go'].find((command) => works(command, 'version'))
  : undefined

async function run(
  command: string,
  args: readonly string[],
  files: { readonly input: string; readonly output: string },
): Promise<readonly string[]> {
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: gopath, GOFLAGS: '' }
  const stdio = [openSync(files.input, 'r'), openSync(files.output, 'w'), 'inherit'] as const
  const status = await new Promise((settle, fail) => {
    spawn(command, args, { stdio: [...stdio], env })
      .once('error', fail)
      .once('exit', settle)
  })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${String(status)}`)
  return readFileSync(files.output, 'utf8').trimEnd().split('\n')
}

const at = (file: string): string => join(root, 'test/interop/peers', file)

/** The program of each, by its name without the extension. */
export const peers = (program: string): readonly Peer[] => [
  {
    name: 'python',
    needs: 'apt-get install python3-pymacaroons',
    installed: python !== undefined,
    answer: (input, output) => run(python!, [at(`${program}.py`)], { input, output }),
  },
  {
    name: 'go',
    needs: 'apt-get install golang-go golang-gopkg-macaroon.v2-dev',
    installed: go !== undefined,
    answer: (input, output) => run(go!, ['run', at(`${program}.go`)], { input, output }),
  },
]
