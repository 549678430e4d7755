/** nginx, Caddy and HAProxy where they are installed, each run with the configuration that `tally gateway snippet` writes. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { selfSigned } from '../e2e/certificate.ts'

export interface Proxy {
  readonly name: string
  /** What `tally gateway snippet` calls its files, and how they become a configuration that can be run here. */
  readonly files: Readonly<Record<string, (text: string, dir: string) => string>>
  readonly command: (dir: string) => readonly [string, ...string[]]
  /** Reads it all and starts nothing; exit code 0 when nothing is wrong. */
  readonly check: (dir: string) => readonly [string, ...string[]]
  readonly installed: boolean
}

const works = (command: string, ...args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).status === 0

const nginx: Proxy = {
  name: 'nginx',
  files: {
    nginx: (text, dir) => `daemon off;
worker_processes 1;
pid ${dir}/pid;
error_log ${dir}/error.log;
events {}
http {
access_log off;
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`).join('\n')}
${text}
}
`,
  },
  command: (dir) => ['nginx', '-p', dir, '-e', `${dir}/error.log`, '-c', `${dir}/nginx`],
  check: (dir) => ['nginx', '-t', '-p', dir, '-e', `${dir}/error.log`, '-c', `${dir}/nginx`],
  installed: works('nginx', '-v'),
}

const caddy: Proxy = {
  name: 'caddy',
  files: { caddy: (text) => `{\n\tadmin off\n\tauto_https off\n}\n${text}` },
  command: (dir) => ['caddy', 'run', '--adapter', 'caddyfile', '--config', `${dir}/caddy`],
  check: (dir) => ['caddy', 'validate', '--adapter', 'caddyfile', '--config', `${dir}/caddy`],
  installed: works('caddy', 'version'),
}

const haproxy: Proxy = {
  name: 'haproxy',
  files: {
    'haproxy-lua': (text) => text,
    haproxy: (text, dir) => text.replace('/etc/haproxy/tally.lua', `${dir}/haproxy-lua`),
  },
  command: (dir) => ['haproxy', '-db', '-f', `${dir}/haproxy`],
  check: (dir) => ['haproxy', '-c', '-f', `${dir}/haproxy`],
  installed: works('haproxy', '-v'),
}

export const proxies: readonly Proxy[] = [nginx, caddy, haproxy]

/** A port that was free a moment ago: these programs cannot say which one they took. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Reached only when it fails, however busy the machine. */
const PATIENCE = 30_000

/** Whether it takes the configuration: with certificates where one is named, and no port that only root may have. */
export function checkProxy(
  proxy: Proxy,
  { hosts, snippet }: { readonly hosts: readonly string[]; readonly snippet: (name: string) => string },
): { readonly ok: boolean; readonly said: string } {
  const dir = mkdtempSync(join(tmpdir(), `tally-check-${proxy.name}-`))
  try {
    writeCertificates(dir, hosts)
    for (const [name, wrap] of Object.entries(proxy.files)) {
      const text = wrap(snippet(name), dir)
        .replaceAll('/etc/letsencrypt/live/', `${dir}/live/`)
        .replaceAll('/etc/haproxy/certs/', `${dir}/certs/`)
        .replaceAll(/^ *listen (?=80\b|443\b)/gm, '$&20')
      writeFileSync(join(dir, name), text)
    }
    const [command, ...args] = proxy.check(dir)
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env: homeAt(dir) })
    return { ok: status === 0, said: stdout + stderr }
  } finally {
    rmSync(dir, { recursive: true })
  }
}

function writeCertificates(dir: string, hosts: readonly string[]): void {
  mkdirSync(join(dir, 'certs'))
  for (const host of hosts) {
    const { cert, key } = selfSigned([host], new Date())
    mkdirSync(join(dir, 'live', host), { recursive: true })
    writeFileSync(join(dir, 'live', host, 'fullchain.pem'), cert)
    writeFileSync(join(dir, 'live', host, 'privkey.pem'), key)
    writeFileSync(join(dir, 'certs', `${host}.pem`), cert + key)
  }
}

const homeAt = (dir: string): NodeJS.ProcessEnv => ({
  ...process.env,
  HOME: dir,
  XDG_DATA_HOME: dir,
  XDG_CONFIG_HOME: dir,
})

/** Runs until disposed. `snippet`: what `tally gateway snippet NAME` writes. */
export async function runProxy(
  proxy: Proxy,
  { port, snippet }: { readonly port: number; readonly snippet: (name: string) => Promise<string> },
): Promise<AsyncDisposable & { readonly said: () => string }> {
  const dir = mkdtempSync(join(tmpdir(), `tally-${proxy.name}-`))
  // nginx started by root works as somebody else.
  chmodSync(dir, 0o755)
  for (const [name, wrap] of Object.entries(proxy.files)) writeFileSync(join(dir, name), wrap(await snippet(name), dir))
  const [command, ...args] = proxy.command(dir)
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: homeAt(dir),
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const exited = once(child, 'exit')
  let over = false
  void exited.then(() => (over = true))
  const deadline = performance.now() + PATIENCE
  while (!(await accepts(port)))
    if (over || performance.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`${proxy.name} does not listen on ${port}:\n${said}`)
    }
  return {
    said: () => said,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), 2000)
      await exited
      clearTimeout(late)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = net.connect({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    // Asked again at once it would take a core from the one that starts.
    await new Promise((resolve) => setTimeout(resolve, 20))
    return false
  } finally {
    socket.destroy()
  }
}
