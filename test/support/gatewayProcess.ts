/** `tally gateway --json` with the tally.yaml in a directory, as a process. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { tally } from './up.ts'

export interface GatewayProcess extends AsyncDisposable {
  readonly url: string
  /** Everything it said. */
  readonly output: readonly string[]
  readonly child: ChildProcess
  /** Resolves with the exit code. */
  readonly exited: Promise<number | null>
}

export async function gatewayProcess(dir: string): Promise<GatewayProcess> {
  const child = spawn(process.execPath, [tally, 'gateway', '--json'], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
  const output: string[] = []
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => {
        output.push(line)
        const { event, url } = line.startsWith('{') ? (JSON.parse(line) as { event?: string; url?: string }) : {}
        if (event === 'ready') resolve(url!)
      })
    void exited.then(() => reject(new Error(`tally gateway ended:\n${output.join('\n')}`)))
  })
  return {
    url,
    output,
    child,
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** An upstream that says what it was asked; `seen` is every body it got. */
export async function echo(): Promise<{ readonly url: string; readonly seen: string[] } & AsyncDisposable> {
  const seen: string[] = []
  const server = createServer((req: IncomingMessage, res: ServerResponse) => {
    let body = ''
    req.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')))
    req.on('end', () => {
      seen.push(body)
      res.end(`${req.method} ${req.url} ${body.length}`)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
