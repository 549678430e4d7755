/**
 * What stands beside our proxy in the table: nginx and a reverse proxy of Go's standard library, as they would be set up for
 * speed on one core, where they are installed; and the upstream of all of them, which should cost little.
 */
import { execFileSync, fork, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { once, pin } from './processes.ts'

export interface Peer extends Disposable {
  readonly pid: number
  readonly port: number
}

/** The size of an answer in the field survey's measurements. */
const BODY = 'x'.repeat(1024)

const has = (command: string, ...args: string[]): boolean => {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** nginx where there is one: it takes the least from the core that it shares with the load. */
export async function startUpstream(): Promise<Peer> {
  const site = `location / { return 200 "${BODY}"; }`
  const peer = (await startNginx(() => site)) ?? (await startNode())
  pin(peer.pid, 'rest')
  return peer
}

export async function startNginxProxy(upstream: number): Promise<Peer | undefined> {
  const peer = await startNginx(
    () => `location / { proxy_pass http://upstream; proxy_http_version 1.1; proxy_set_header Connection ""; }`,
    `upstream upstream { server 127.0.0.1:${upstream}; keepalive 128; keepalive_requests 1000000000; }`,
  )
  if (peer) pin(peer.pid, 'measured')
  return peer
}

async function startNginx(site: () => string, more = ''): Promise<Peer | undefined> {
  if (!has('nginx', '-v')) return undefined
  const dir = mkdtempSync(path.join(tmpdir(), 'tally-bench-nginx-'))
  const port = await freePort()
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((of) => `${of}_temp_path ${dir}/${of};`)
  writeFileSync(
    path.join(dir, 'nginx.conf'),
    `pid ${dir}/pid; error_log stderr crit; daemon off; master_process off; worker_processes 1;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 1000000000; ${temporary.join(' ')} ${more}
server { listen 127.0.0.1:${port}; ${site()} } }`,
  )
  return await started(spawn('nginx', ['-p', dir, '-c', path.join(dir, 'nginx.conf')], { stdio: 'ignore' }), port, dir)
}

const GO = `package main

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	upstream, _ := url.Parse("http://127.0.0.1:" + os.Args[2])
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 128
	transport.MaxIdleConnsPerHost = 128
	proxy.Transport = transport
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], proxy))
}
`

/** With as many idle connections as the load has, which is not its default. */
export async function startGoProxy(upstream: number): Promise<Peer | undefined> {
  if (!has('go', 'version')) return undefined
  const dir = mkdtempSync(path.join(tmpdir(), 'tally-bench-go-'))
  writeFileSync(path.join(dir, 'proxy.go'), GO)
  execFileSync('go', ['build', '-o', 'proxy', 'proxy.go'], {
    cwd: dir,
    stdio: 'inherit',
    env: { ...process.env, GO111MODULE: 'off', GOTOOLCHAIN: 'local' },
  })
  const port = await freePort()
  const child = spawn(path.join(dir, 'proxy'), [`${port}`, `${upstream}`], {
    stdio: 'ignore',
    env: { ...process.env, GOMAXPROCS: '1' },
  })
  const peer = await started(child, port, dir)
  pin(peer.pid, 'measured')
  return peer
}

async function startNode(): Promise<Peer> {
  const child = fork(import.meta.filename)
  const port = await once<number>(child)
  return { pid: child.pid!, port, [Symbol.dispose]: () => void child.kill() }
}

async function started(child: ChildProcess, port: number, dir: string): Promise<Peer> {
  let over: number | string | undefined
  child.once('exit', (code, signal) => (over = code ?? signal ?? 'nothing'))
  child.once('error', ({ message }) => (over = message))
  while (!(await answers(port))) if (over !== undefined) throw new Error(`${child.spawnfile} ended with ${over}`)
  return {
    pid: child.pid!,
    port,
    [Symbol.dispose]() {
      child.kill()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => setTimeout(resolve, 10, false))
  })

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

if (process.send && process.argv[1] === import.meta.filename) {
  const server = http.createServer((_req, res) => res.end(BODY))
  server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port))
}
