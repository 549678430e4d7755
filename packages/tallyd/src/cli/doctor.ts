/** `tally doctor`: what a start needs, looked at one by one, each with its fix. Changes nothing. */
import { constants, existsSync } from 'node:fs'
import { access, readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { Amount, Key, TallyError } from 'tallystick/core'
import type { Config, PostgresRef } from '../config.ts'
import { DIRECTORY, findState, stateAt, type State } from '../state.ts'
import type { Readiness } from '../operate/health.ts'
import { askGateway } from './admin.ts'
import { failure, type Check } from './Check.ts'
import { defineCommand } from './Command.ts'
import { CONFIG_FILE, configOption, readConfig } from './configFile.ts'
import { exits } from './exit.ts'
import { checkReceiver, isNode } from './doctorNode.ts'
import type { Io } from './Io.ts'
import type { Style } from './style.ts'
import { columns, printable } from './table.ts'
import { span } from './time.ts'
import { findWallet, openWallet } from './wallet.ts'

export const doctor = defineCommand({
  name: 'doctor',
  summary: 'Check what tally needs to run here',
  args: '',
  maxArgs: 0,
  options: { config: configOption },
  notes:
    'Exit code 1 when a check fails. Changes nothing; upstreams are asked with HEAD. A table on a terminal, JSON when piped.',
  examples: [
    ['tally doctor', ''],
    ['tally doctor --config /etc/tally.yaml', 'before a first start'],
  ],
  async run({ io, style, json, options }) {
    const checks = await examine(io, options.config)
    const asTable = io.stdout.isTTY && !json
    await io.stdout.write(asTable ? table(checks, style) : `${JSON.stringify(checks, null, 2)}\n`)
    return checks.some(({ state }) => state === 'fail') ? exits.FAILED.code : exits.OK.code
  },
})

async function examine(io: Io, file: string | undefined): Promise<readonly Check[]> {
  const { check, config } = await checkConfig(io, file)
  const state = config ? stateAt(config.state) : (findState(io.cwd) ?? stateAt(join(io.cwd, DIRECTORY)))
  const path = config?.store.kind === 'sqlite' ? config.store.path : state.store
  const wallet = await checkWallet(io)
  const running = wallet.state === 'ok'
  const [{ checkCertificates }, { checkUpstreams, skewed }] = await Promise.all([
    import('../daemon/certificates.ts'),
    import('../daemon/upstreams.ts'),
  ])
  const upstreams = config && (await checkUpstreams(config, io.clock))
  const { host, port } = config?.listen ?? { host: '127.0.0.1', port: 8402 }
  return [
    checkNode(),
    check,
    await checkDirectory(state),
    await checkKey(io, state, config),
    config?.store.kind === 'postgres'
      ? await checkPostgres(io, config.store, config)
      : await checkDatabase(path, { running }),
    await checkPort(host, port, { running }),
    config && isNode(config.lightning) ? await checkReceiver(io, config.lightning) : checkLdk(config),
    wallet,
    ...(await checkRunning(io, state)),
    ...checkFiles(),
    ...(config ? checkCertificates(config, io.clock()) : []),
    ...(upstreams?.check ? [upstreams.check] : []),
    skewed(await checkClock(io, path), upstreams?.ahead),
  ]
}

function checkNode(): Check {
  const { node } = process.versions
  const [major = 0, minor = 0] = node.split('.').map(Number)
  const fine = major > 22 || (major === 22 && minor >= 18)
  if (fine) return { name: 'node', state: 'ok', found: node }
  return { name: 'node', state: 'fail', found: node, fix: 'Install Node 22.18 or newer: https://nodejs.org' }
}

async function checkConfig(io: Io, file: string | undefined): Promise<{ check: Check; config?: Config }> {
  const name = 'config'
  if (file === undefined && !existsSync(resolve(io.cwd, CONFIG_FILE)))
    return { check: { name, state: 'ok', found: `no ${CONFIG_FILE} here; \`tally up --demo\` needs none` } }
  try {
    const config = await readConfig(io, file)
    const routes = config.services.reduce((sum, { routes }) => sum + routes.length, 0)
    const found = `${file ?? CONFIG_FILE}: ${config.services.length} services, ${routes} routes`
    return { check: { name, state: 'ok', found }, config }
  } catch (error) {
    return { check: failure(name, error) }
  }
}

async function checkDirectory({ dir }: State): Promise<Check> {
  const name = 'state'
  const found = await stat(dir).catch(() => undefined)
  const place = found ? dir : nearestAbove(dir)
  try {
    await access(place, constants.W_OK)
  } catch {
    return {
      name,
      state: 'fail',
      found: `${place} cannot be written`,
      fix: `Make it yours, or choose another with --state.`,
    }
  }
  if (!found) return { name, state: 'ok', found: `${dir}, made on first start` }
  if (process.platform !== 'win32' && (found.mode & 0o077) !== 0)
    return { name, state: 'warn', found: `${dir} is open to other users`, fix: `chmod 700 ${dir}` }
  return { name, state: 'ok', found: dir }
}

function nearestAbove(dir: string): string {
  return existsSync(dir) || dirname(dir) === dir ? dir : nearestAbove(dirname(dir))
}

async function checkKey(io: Io, { key }: State, config: Config | undefined): Promise<Check> {
  const name = 'key'
  if (config?.key) {
    const { readSecret } = await import('../config.ts')
    try {
      Key.from(readSecret(config.key, io.env))
      return { name, state: 'ok', found: config.key.kind === 'env' ? `$${config.key.name}` : config.key.path }
    } catch (error) {
      return failure(name, error)
    }
  }
  const found = await stat(key).catch(() => undefined)
  if (!found) return { name, state: 'ok', found: `${key}, made on first start` }
  try {
    Key.from(await readFile(key, 'utf8'))
  } catch (error) {
    return failure(name, error, `Restore ${key} from a backup: the tokens sold so far hang on it.`)
  }
  if (process.platform !== 'win32' && (found.mode & 0o077) !== 0)
    return { name, state: 'warn', found: `${key} is open to other users`, fix: `chmod 600 ${key}` }
  return { name, state: 'ok', found: key }
}

/** `running`: a wallet answers here, so tally runs, and that it holds its database and its port is no news. */
async function checkDatabase(path: string, { running }: { running: boolean }): Promise<Check> {
  const name = 'database'
  if (!existsSync(path)) return { name, state: 'ok', found: `${path}, made on first start` }
  const { sqliteStore } = await import('tallystick/storage/sqlite')
  try {
    await using _ = sqliteStore(path)
    return { name, state: 'ok', found: path }
  } catch (error) {
    const busy = TallyError.is(error) && error.code === 'STORE_BUSY'
    return busy && running ? { name, state: 'ok', found: `${path}, in use by a running tally` } : failure(name, error)
  }
}

/** Looks, and makes nothing: not even the tables of a first start. */
async function checkPostgres(io: Io, ref: PostgresRef, config: Config): Promise<Check> {
  const name = 'database'
  const [{ readSecret }, { isPlain, openPool, placeOf }, { checkPostgres }] = await Promise.all([
    import('../config.ts'),
    import('../state/postgres.ts'),
    import('tallystick/storage/postgres'),
  ])
  try {
    const pool = await openPool(ref, io.env)
    pool.on('error', () => {})
    try {
      const version = await checkPostgres(pool, config.key && { key: Key.from(readSecret(config.key, io.env)) })
      const made = version === undefined ? 'tables made on first start' : `schema ${version}`
      const found = `${placeOf(ref)}, ${made}`
      if (!isPlain(ref)) return { name, state: 'ok', found }
      return {
        name,
        state: 'warn',
        found: `${found}, not encrypted`,
        fix: 'Remove `tls: off`, and give `ca` if need be.',
      }
    } finally {
      await pool.end()
    }
  } catch (error) {
    return failure(name, error)
  }
}

async function checkPort(host: string, port: number, { running }: { running: boolean }): Promise<Check> {
  const name = 'port'
  const found = `${host}:${port}`
  const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const server = createServer()
    server.once('error', resolve)
    server.listen({ host, port }, () => server.close(() => resolve(undefined)))
  })
  if (!error) return { name, state: 'ok', found: `${found} is free` }
  if (error.code === 'EADDRINUSE' && running)
    return { name, state: 'ok', found: `${found} is taken, by a running tally it seems` }
  return failure(name, new TallyError('PORT_TAKEN', `cannot listen on ${found}: ${error.code ?? error.message}`))
}

function checkLdk(config: Config | undefined): Check {
  const name = 'lightning'
  if (config?.lightning.kind === 'sim') return { name, state: 'ok', found: 'simulated, as the config says' }
  try {
    import.meta.resolve('tallystick-ldk')
    return { name, state: 'ok', found: 'tallystick-ldk is installed' }
  } catch {
    return {
      name,
      state: 'warn',
      found: 'tallystick-ldk is not installed; a simulation stands in',
      fix: 'npm i tallystick-ldk',
    }
  }
}

/** Only where one runs: that none does is no mistake. */
async function checkRunning(io: Io, state: State): Promise<readonly Check[]> {
  const name = 'gateway'
  try {
    const { ready, draining, parts } = (await askGateway(io, state.dir, '/v1/state')) as Readiness
    const bad = parts.filter((part) => part.state !== 'ok').map((part) => `${part.name} ${part.state}: ${part.reason}`)
    if (ready && bad.length === 0) return [{ name, state: 'ok', found: 'runs, and is ready' }]
    const found = draining ? 'is stopping' : bad.join('; ')
    return [
      {
        name,
        state: ready ? 'warn' : 'fail',
        found,
        fix: 'Its log says when that began; docs/operating.md what it means.',
      },
    ]
  } catch (error) {
    if (!TallyError.is(error)) throw error
    return error.code === 'SERVER_UNREACHABLE' ? [] : [failure(name, error)]
  }
}

/** Two for each request under way. */
const FEW_FILES = 4096

function checkFiles(): readonly Check[] {
  // It would ask DNS about every open connection.
  Object.assign(process.report, { excludeNetwork: true })
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft: number | string } } }
  const soft = userLimits?.open_files?.soft
  if (soft === undefined) return []
  const name = 'files'
  const found = `${soft} may be open at once`
  if (soft === 'unlimited' || Number(soft) >= FEW_FILES) return [{ name, state: 'ok', found }]
  return [{ name, state: 'warn', found, fix: 'Raise it: `ulimit -n 65536`, or LimitNOFILE= of the unit.' }]
}

async function checkWallet(io: Io): Promise<Check> {
  const name = 'wallet'
  const fix = 'Start one with `tally up`. Only paying needs it.'
  try {
    const { address } = findWallet(io, undefined)
    const balance = await openWallet(io, undefined).balance()
    return { name, state: 'ok', found: `${address}: ${Amount.format(balance)}` }
  } catch (error) {
    if (!TallyError.is(error)) throw error
    return { name, state: 'warn', found: error.message, fix }
  }
}

/** Expiry is the only defence of a lost token, so a clock that is wrong is worth knowing about. */
async function checkClock(io: Io, database: string): Promise<Check> {
  const name = 'clock'
  const now = io.clock()
  const written = (await stat(database).catch(() => undefined))?.mtime
  const last = Math.max(written?.getTime() ?? 0, (await stat(import.meta.filename)).mtimeMs)
  const found = now.toISOString()
  if (now.getTime() >= last) return { name, state: 'ok', found }
  const behind = span(last - now.getTime())
  return {
    name,
    state: 'warn',
    found: `${found} is ${behind} behind files written here`,
    fix: 'Set the clock, or let NTP do it.',
  }
}

function table(checks: readonly Check[], style: Style): string {
  const words = { ok: style.good('ok'), warn: style.warn('warn'), fail: style.bad('fail') }
  return columns(
    checks.flatMap(({ name, state, found, fix }) => [
      [words[state], name, found.split('\n').map(printable).join('; ')],
      ...(fix === undefined ? [] : [['', '', style.dim(`fix: ${fix}`)]]),
    ]),
  )
}
