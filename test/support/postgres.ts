/**
 * A PostgreSQL server of our own, where one is installed: in a directory and on a port of its own, durable as in production,
 * gone with the test. `TALLY_REQUIRE=postgres` makes a missing one fail.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chownSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Pool } from 'pg'

export const needs = 'apt-get install postgresql'

const versions = globSync('/usr/lib/postgresql/*/bin/initdb').sort((a, b) => major(a) - major(b))
const bin = versions.at(-1)?.replace(/\/initdb$/, '')

function major(path: string): number {
  return Number(/\/(\d+)\/bin/.exec(path)?.[1])
}

/** The server refuses to run as root. */
const isRoot = process.getuid?.() === 0
const user = isRoot ? idsOf('postgres') : undefined

function idsOf(name: string): { readonly uid: number; readonly gid: number } | undefined {
  if (!existsSync('/etc/passwd')) return undefined
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${name}:`))
  const [, , uid, gid] = line?.split(':') ?? []
  return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) }
}

export const isInstalled = bin !== undefined && (!isRoot || user !== undefined)

export interface PostgresServer extends AsyncDisposable {
  readonly port: number
  /** `postgres://…` of a database of that name, which is made and empty. */
  create(name: string): Promise<string>
  /** As the machine losing power would look to clients: every process of it is killed. */
  kill(): Promise<void>
  start(): Promise<void>
  /** To other processes: how to reach a database. */
  url(name: string): string
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export async function startPostgres(): Promise<PostgresServer> {
  const dir = mkdtempSync(join(tmpdir(), 'tally-postgres-'))
  if (user) chownSync(dir, user.uid, user.gid)
  const data = join(dir, 'data')
  const options = { ...(user && { uid: user.uid, gid: user.gid }), cwd: dir }
  execFileSync(join(bin!, 'initdb'), ['-D', data, '-U', 'tally', '-A', 'trust', '-E', 'UTF8', '--locale=C'], {
    ...options,
    stdio: 'ignore',
  })
  const port = await freePort()
  let server: ChildProcess | undefined
  const url = (name: string): string => `postgres://tally@127.0.0.1:${port}/${name}`

  async function start(): Promise<void> {
    const settings = [
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      `unix_socket_directories=${dir}`,
      '-c',
      'max_connections=60',
    ]
    // Shows in the log who waited for whom; the tests say that nobody did.
    const child = spawn(
      join(bin!, 'postgres'),
      ['-D', data, '-p', `${port}`, ...settings, '-c', 'deadlock_timeout=200ms'],
      {
        ...options,
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    server = child
    let said = ''
    await new Promise<void>((resolve, reject) => {
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        said = (said + chunk).slice(-20_000)
        if (said.includes('ready to accept connections')) resolve()
      })
      child.once('exit', () => reject(new Error(`postgres ended:\n${said}`)))
    })
  }

  async function stop(how: 'SIGQUIT' | 'SIGINT'): Promise<void> {
    const running = server
    server = undefined
    if (!running) return
    const ended = new Promise((resolve) => running.once('exit', resolve))
    running.kill(how)
    await ended
  }

  await start()
  return {
    port,
    url,
    start,
    // Immediate shutdown: no checkpoint, no word to clients, recovery from the log at the next start.
    kill: () => stop('SIGQUIT'),
    async create(name) {
      await using pool = poolOf(url('postgres'))
      await pool.query(`CREATE DATABASE "${name}"`)
      return url(name)
    },
    async [Symbol.asyncDispose]() {
      await stop('SIGINT')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** As the daemon opens it, with fewer connections than it might. */
export function poolOf(url: string): Pool & AsyncDisposable {
  const pool = new Pool({ connectionString: url, max: 2, connectionTimeoutMillis: 5000, pipeline: true })
  pool.on('error', () => {})
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.end() })
}

/** A test that skips without a server, or fails if one is required. */
export function postgresTest(name: string, body: () => void | Promise<void>): void {
  if (isInstalled) return void test(name, body)
  const required = (process.env['TALLY_REQUIRE'] ?? '').split(',').includes('postgres')
  if (required) test(name, () => assert.fail(`postgres is required and not here: ${needs}`))
  else test(name, { skip: `needs a PostgreSQL server: ${needs}` }, () => {})
}
