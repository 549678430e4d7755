/** `tally up`: everything in one process, until it is told to stop. */
import { join, resolve } from 'node:path'
import { Amount, TallyError } from 'tallystick/core'
import type { Config } from '../config.ts'
import type { Daemon, DaemonEvent } from '../daemon.ts'
import { banner } from './banner.ts'
import { reloadLines } from './reloadLines.ts'
import { defineCommand } from './Command.ts'
import { configOption, readConfig } from './configFile.ts'
import { exits, type ExitCode } from './exit.ts'
import type { Io } from './Io.ts'
import { createLog } from './log.ts'
import type { Style } from './style.ts'
import { printable } from './table.ts'
import { notifySystemd } from './notify.ts'
import { redact, troubleText } from './redact.ts'
import { seconds } from './time.ts'
import { intOption } from './values.ts'

export const portOption = { type: 'value', value: 'N', help: 'listen on this port; 0 takes any free one' } as const
export const stateOption = {
  type: 'value',
  value: 'DIR',
  help: 'keep state here (default: `state` of the config)',
} as const

export const up = defineCommand({
  name: 'up',
  summary: 'Run everything: Lightning, wallet and gateway',
  args: '',
  maxArgs: 0,
  options: {
    demo: { type: 'flag', help: 'sell QR codes for worthless coins; needs no config' },
    config: configOption,
    port: portOption,
    state: stateOption,
  },
  notes: `Stops on Ctrl-C or SIGTERM when the requests under way have finished; a second Ctrl-C cuts them, exit code 130.
SIGHUP reads the config again.
With --json one JSON object per line on stdout, each with an "event": "ready", "request", "reloaded", "stopping".`,
  examples: [
    ['tally up --demo', 'watch a request being paid for'],
    ['tally up', 'with ./tally.yaml'],
    ['tally up --config shop.yaml --port 80 --json', 'as a service'],
  ],
  async run({ io, style, json, options }) {
    if (options.demo && options.config !== undefined)
      throw new TallyError('USAGE', '--demo brings its own config; leave out --config')
    const read = async (): Promise<Config> =>
      override(io, options.demo ? await demo(io) : await readConfig(io, options.config), options)
    return await serve({
      io,
      style,
      json,
      demo: options.demo,
      config: await read(),
      ...(!options.demo && { reread: read }),
    })
  },
})

async function demo(io: Io): Promise<Config> {
  const { demoConfig } = await import('../daemon.ts')
  return demoConfig(io.cwd)
}

/** What the command line says wins over the file. */
export function override(
  io: Io,
  config: Config,
  { port, state }: { port: string | undefined; state: string | undefined },
): Config {
  const listen =
    port === undefined ? config.listen : { ...config.listen, port: intOption('--port', port, { min: 0, max: 65_535 }) }
  if (state === undefined) return { ...config, listen }
  const dir = resolve(io.cwd, state)
  const inState = config.store.kind === 'sqlite' && config.store.path === join(config.state, 'tally.db')
  return { ...config, listen, state: dir, ...(inState && { store: { kind: 'sqlite', path: join(dir, 'tally.db') } }) }
}

export interface ServeOptions {
  readonly io: Io
  readonly style: Style
  readonly json: boolean
  readonly demo: boolean
  readonly config: Config
  /** What a reload reads. */
  readonly reread?: () => Promise<Config>
}

export async function serve(given: ServeOptions): Promise<ExitCode> {
  const options = { ...given, json: given.json || given.config.log.format === 'json' }
  const { io, demo, config, reread } = options
  const { startDaemon } = await import('../daemon.ts')
  const first = Promise.withResolvers<void>()
  const second = Promise.withResolvers<void>()
  let stops = 0
  // A third signal finds no listener of ours and ends the process the system's way.
  using signals = io.onStop(() => {
    if (++stops === 1) return first.resolve()
    signals[Symbol.dispose]()
    second.resolve()
  })
  const report = reporter(options)
  const { env, clock } = io
  await using daemon = await startDaemon({ config, demo, env, clock, onEvent: report.event, ...(reread && { reread }) })
  // Why a config was not taken is an event of its own.
  using _reloading = reread && io.onReload(() => void daemon.reload().catch(() => {}))
  // Asked to stop while starting: do not announce what is about to go.
  if (stops === 0) {
    await report.ready(daemon)
    await notifySystemd(env, 'ready')
  }
  await first.promise
  void notifySystemd(env, 'stopping')
  await report.stopping()
  void second.promise.then(() => daemon.cut())
  const cut = await daemon.stop()
  return cut === 0 ? exits.OK.code : exits.STOPPED.code
}

interface Reporter {
  readonly event: (event: DaemonEvent) => void
  ready(daemon: Daemon): Promise<void>
  stopping(): Promise<void>
}

function reporter({ io, style, json, demo, config }: ServeOptions): Reporter {
  const quiet = config.log.level === 'warn'
  const left = (count: number): string =>
    json ? JSON.stringify({ event: 'left-out', count }) : style.dim(`… ${count} lines left out`)
  const results = createLog(io, 'stdout', { left })
  const events = json ? results : createLog(io, 'stderr', { left })
  return {
    event(event) {
      if (quiet && (event.type === 'request' || event.type === 'starting')) return
      const line = json ? jsonLine(event) : textLine(event, style)
      if (line !== undefined) events.line(line)
    },
    async ready(daemon) {
      // Since the process began, which is what people wait for.
      const took = performance.now()
      const { payer } = daemon.lightning
      const balance = payer ? Amount.format(await payer.balance()) : ''
      if (json) results.line(readyJson(daemon, took))
      else results.line(demo ? banner(io, style, daemon, { took, balance }) : readyText(daemon, took))
      await results.drained()
    },
    async stopping() {
      events.line(json ? '{"event":"stopping"}' : 'stopping…')
      await events.drained()
    },
  }
}

function textLine(event: DaemonEvent, style: Style): string | undefined {
  switch (event.type) {
    case 'starting':
      return event.part === 'lightning' ? style.dim('starting Lightning…') : undefined
    case 'notice':
      return style.warn(printable(redact(event.text)))
    case 'reloaded':
      return [style.good('config reloaded'), ...reloadLines(event).map((line) => printable(line))].join('\n')
    case 'kept':
      return style.bad(`config not reloaded, the one before goes on:\n${printable(troubleText(event.error))}`)
    case 'trouble':
      return style.bad(`trouble: ${printable(troubleText(event.error))}`)
    case 'request': {
      const { method, route, status, ms, decision, code, cause } = event.entry
      const why = code ? ` ${code}${cause ? ` (${printable(cause)})` : ''}` : ''
      const what = route || `${method} (no route)`
      return style.dim(`${status} ${what} · ${decision}${why} · ${ms.toFixed(1)} ms`)
    }
  }
}

function jsonLine(event: DaemonEvent): string {
  if (event.type === 'request') return JSON.stringify({ event: 'request', ...event.entry })
  if (event.type === 'trouble' || event.type === 'kept')
    return JSON.stringify({ event: event.type, message: troubleText(event.error) })
  if (event.type === 'notice') return JSON.stringify({ event: 'notice', text: redact(event.text) })
  const { type, ...rest } = event
  return JSON.stringify({ event: type, ...rest })
}

function readyJson(daemon: Daemon, took: number): string {
  const { url, admin, wallet, state, lightning, upstream, logKey } = daemon
  return JSON.stringify({
    event: 'ready',
    url,
    ...(admin !== undefined && { admin }),
    lightning: lightning.kind,
    wallet,
    state: state.dir,
    ...(upstream !== undefined && { upstream }),
    ...(logKey !== undefined && { log: logKey }),
    pid: process.pid,
    took_ms: Math.round(took),
  })
}

function readyText({ url, admin, lightning, state, logKey }: Daemon, took: number): string {
  const operators = admin === undefined ? '' : `, operators at ${admin}`
  const signed = logKey === undefined ? '' : `\nits log is signed by ${logKey}`
  return `ready in ${seconds(took)}: ${url}${operators}, Lightning ${lightning.kind}, state in ${state.dir}${signed}`
}
