/** How to find out whether an upstream is well: ask for a path, or only see whether it takes connections. */
import { TallyError } from 'tallystick/core'
import type { HealthCheck } from '../../config.ts'
import { Connection, detailOf, type Line, type Sink } from './Connection.ts'
import type { Probe } from './health.ts'

const nothing = (): void => {}
const unwatched = { onBusy: nothing, onFree: nothing, onIdle: nothing, onClose: nothing }

/** A connection, TLS handshake included, over which nothing is sent. */
export function dial(line: Line): Probe {
  return (done) => {
    const connection = new Connection({
      ...line,
      ...unwatched,
      onConnected: () => {
        connection.destroy()
        done(undefined)
      },
      onUnreachable: done,
    })
    return () => connection.destroy()
  }
}

/** GET on a connection of its own, as a client would. What the body says is for people. */
export function ask(line: Line, { path, every }: HealthCheck): Probe {
  const { origin, authority } = line.upstream
  const head = `GET ${path} HTTP/1.1\r\nHost: ${authority}\r\nUser-Agent: tally-health\r\nConnection: close\r\n\r\n`
  const timeouts = { connect: Math.min(line.timeouts.connect, every), firstByte: every, idle: every, total: undefined }
  return (done) => {
    const connection = new Connection({
      ...line,
      ...unwatched,
      timeouts,
      onConnected: nothing,
      onUnreachable: nothing,
    })
    const sink: Sink = {
      onInformation: nothing,
      onHead({ status }) {
        connection.destroy()
        done(status >= 200 && status < 400 ? undefined : `${origin}: ${path} answers ${status}`)
      },
      onSwitch: nothing,
      onData: nothing,
      onEnd: nothing,
      onWait: nothing,
      onDrain: nothing,
      onFail: (error) => done(TallyError.is(error) ? detailOf(error) : 'error'),
    }
    connection.begin(sink, { method: 'GET', head, whole: true, upgrades: false })
    return () => connection.destroy()
  }
}
