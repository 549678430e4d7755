/** Whether upstreams answer, and what time they think it is: a HEAD to each, as a health check would ask. */
import { TallyError } from 'tallystick/core'
import type { Config, Service, Upstream } from '../config.ts'
import { Connection, detailOf } from '../gateway/upstream/Connection.ts'
import type { ResponseHead } from '../gateway/upstream/head.ts'
import { readTrust } from '../gateway/upstream/tls.ts'
import type { Check } from '../cli/Check.ts'
import { span } from '../cli/time.ts'

/** Seconds. */
const PATIENCE = 2
const TIMEOUTS = { connect: PATIENCE, firstByte: PATIENCE, idle: PATIENCE, total: undefined }
/** Milliseconds. HTTP dates are whole seconds, and an answer takes a moment. */
const SKEW = 60_000
const name = 'upstreams'

export interface Answers {
  readonly check: Check | undefined
  /** Milliseconds that our clock is ahead of the one nearest to it; undefined: nobody said. */
  readonly ahead: number | undefined
}

export async function checkUpstreams({ services }: Config, clock: () => Date): Promise<Answers> {
  const asked = services.flatMap((service) => service.upstreams.map((upstream) => ask(service, upstream, clock)))
  if (asked.length === 0) return { check: undefined, ahead: undefined }
  const answers = await Promise.all(asked)
  const silent = answers.flatMap(({ failure }) => failure ?? [])
  // One upstream whose clock is wrong is no reason to doubt ours.
  const ahead = answers
    .flatMap(({ ahead }) => ahead ?? [])
    .sort((a, b) => Math.abs(a) - Math.abs(b))
    .at(0)
  const found = silent.length === 0 ? `${answers.length} answered` : silent.join('; ')
  const fix = 'Start it, or correct `upstream`. A gateway starts without it.'
  return { check: { name, found, ...(silent.length === 0 ? { state: 'ok' } : { state: 'warn', fix }) }, ahead }
}

/** A clock that another one contradicts. */
export function skewed(clock: Check, ahead: number | undefined): Check {
  if (clock.state !== 'ok' || ahead === undefined || Math.abs(ahead) < SKEW) return clock
  const found = `${clock.found} is ${span(ahead)} ${ahead > 0 ? 'ahead of' : 'behind'} what upstreams say it is`
  return { ...clock, state: 'warn', found, fix: 'Set the clock here or there, or let NTP do it: tokens end by ours.' }
}

interface Answer {
  readonly failure?: string
  readonly ahead?: number
}

async function ask({ tls, health }: Service, upstream: Upstream, clock: () => Date): Promise<Answer> {
  const { origin, authority, secure } = upstream
  try {
    const trust = secure ? readTrust(tls) : undefined
    const head = await headOf(new Connection({ upstream, trust, timeouts: TIMEOUTS, ...unwatched }), {
      method: 'HEAD',
      head: `HEAD ${health?.path ?? '/'} HTTP/1.1\r\nHost: ${authority}\r\nUser-Agent: tally-doctor\r\nConnection: close\r\n\r\n`,
    })
    const at = head.headers.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === 'date')
    const date = at === -1 ? Number.NaN : Date.parse(head.headers[at + 1]!)
    return Number.isNaN(date) ? {} : { ahead: clock().getTime() - date }
  } catch (error) {
    if (!TallyError.is(error)) throw error
    const why = detailOf(error)
    return { failure: why.startsWith(origin) ? why : `${origin}: ${why}` }
  }
}

const nothing = (): void => {}
const unwatched = {
  onBusy: nothing,
  onFree: nothing,
  onIdle: nothing,
  onClose: nothing,
  onConnected: nothing,
  onUnreachable: nothing,
}

function headOf(connection: Connection, request: { method: string; head: string }): Promise<ResponseHead> {
  return new Promise((resolve, reject) => {
    connection.begin(
      {
        onInformation: nothing,
        onHead(head) {
          connection.destroy()
          resolve(head)
        },
        onSwitch: nothing,
        onData: nothing,
        onEnd: nothing,
        onWait: nothing,
        onDrain: nothing,
        onFail: reject,
      },
      { ...request, whole: true, upgrades: false },
    )
  })
}
