/**
 * Both ends of the gateway as plain sockets, so that a test can say exactly which bytes go over the wire: a client that
 * sends what no client would, and an upstream that answers what no server should.
 */
import net from 'node:net'
import type { Grant, TallyError } from 'tallystick/core'
import type { Admission, Call, Offer } from 'tallystick/server'
import { loadConfig, type Config, type Timeouts } from '../../packages/tallyd/src/config.ts'
import {
  createGateway,
  type AccessEntry,
  type Gateway,
  type UpstreamState,
} from '../../packages/tallyd/src/gateway/server.ts'

/** How long a test waits for what must come; reached only when it fails, however busy the machine. */
const PATIENCE = 30_000

export function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited too long for ${what}`)), PATIENCE)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** What one socket has received, and the means to wait for more of it. */
export interface Wire extends Disposable {
  readonly socket: net.Socket
  readonly text: string
  readonly ended: boolean
  send(text: string): void
  /** Resolves with everything received once `done` holds, or the other side closed. */
  until(done: (text: string) => boolean): Promise<string>
  /** Everything received until the other side closed. */
  end(): Promise<string>
}

export function wire(socket: net.Socket): Wire {
  let text = ''
  let ended = false
  const waiting = new Set<() => void>()
  const look = (): void => {
    for (const check of waiting) check()
  }
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    text += chunk
    look()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    ended = true
    look()
  })
  const until = (done: (text: string) => boolean): Promise<string> =>
    inTime(
      `the rest of ${JSON.stringify(text.slice(-200))}`,
      new Promise((resolve) => {
        const check = (): void => {
          if (!ended && !done(text)) return
          waiting.delete(check)
          resolve(text)
        }
        waiting.add(check)
        check()
      }),
    )
  return {
    socket,
    get text() {
      return text
    },
    get ended() {
      return ended
    },
    send: (bytes) => void socket.write(bytes, 'latin1'),
    until,
    end: () => until(() => false),
    [Symbol.dispose]: () => void socket.destroy(),
  }
}

export function dial(port: number): Wire {
  return wire(net.connect({ port, host: '127.0.0.1', noDelay: true }))
}

/** Sends bytes and reads one answer, or until the gateway closes. */
export async function ask(port: number, bytes: string): Promise<string> {
  using client = dial(port)
  client.send(bytes)
  return await client.until(isComplete)
}

/** True when `text` holds at least one whole response with a Content-Length, or without a body. */
export function isComplete(text: string): boolean {
  const head = text.indexOf('\r\n\r\n')
  if (head === -1 || /^HTTP\/1.1 1/.test(text)) return false
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head))?.[1] ?? 0)
  return text.length >= head + 4 + length
}

export const statusOf = (response: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(response)?.[1] ?? 0)
export const bodyOf = (response: string): string => response.slice(response.indexOf('\r\n\r\n') + 4)
export const headOf = (response: string): string => response.slice(0, response.indexOf('\r\n\r\n'))

/** A server of raw bytes. `onConnection` is handed every connection; all bytes are kept in `seen`. */
export interface RawServer extends AsyncDisposable {
  readonly port: number
  readonly connections: readonly Wire[]
  /** Everything that any connection received. */
  readonly seen: string
  /** The nth connection, once it is there. */
  connection(index: number): Promise<Wire>
}

export async function rawServer(onConnection: (connection: Wire) => void = () => {}): Promise<RawServer> {
  const connections: Wire[] = []
  const waiting = new Set<() => void>()
  const server = net.createServer({ noDelay: true }, (socket) => {
    const connection = wire(socket)
    connections.push(connection)
    onConnection(connection)
    for (const check of waiting) check()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    connections,
    get seen() {
      return connections.map(({ text }) => text).join('')
    },
    connection: (index) =>
      inTime(
        `connection ${index}`,
        new Promise((resolve) => {
          const check = (): void => {
            const found = connections[index]
            if (!found) return
            waiting.delete(check)
            resolve(found)
          }
          waiting.add(check)
          check()
        }),
      ),
    async [Symbol.asyncDispose]() {
      for (const { socket } of connections) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** An upstream that answers every request head it sees with the same bytes. Bodies of requests are left unread. */
export const always = (response: string): Promise<RawServer> =>
  rawServer((connection) => {
    let answered = 0
    connection.socket.on('data', () => {
      const heads = connection.text.split('\r\n\r\n').length - 1
      for (; answered < heads; answered++) connection.send(response)
    })
  })

/** A gate that grants what carries `Authorization: L402 good:1`, and keeps count. */
export interface TestGate {
  readonly calls: { call: Call; offer: Offer }[]
  granted: number
  released: number
  admit(call: Call, offer: Offer): Promise<Admission>
  /** Awaited before every decision. */
  delay: Promise<void>
  /** What the body must hash to, as of a sealed request. */
  body: Uint8Array | undefined
  /** When what it grants ends. */
  expires: Date | undefined
  /** Why what it granted would not be granted any more. */
  standing: TallyError | undefined
}

export function testGate(): TestGate {
  const gate: TestGate = {
    calls: [],
    granted: 0,
    released: 0,
    delay: Promise.resolve(),
    body: undefined,
    expires: undefined,
    standing: undefined,
    async admit(call, offer) {
      gate.calls.push({ call, offer })
      await gate.delay
      if (call.header('authorization').includes('L402 good:1')) {
        gate.granted++
        const release = async (): Promise<void> => {
          gate.released++
        }
        // The proxy looks at nothing else in it.
        const grant = { expires: gate.expires } as Grant
        return { kind: 'granted', grant, release, standing: () => gate.standing, body: gate.body }
      }
      const headers = [
        ['WWW-Authenticate', 'LSAT macaroon="M", invoice="I"'],
        ['WWW-Authenticate', 'L402 macaroon="M", invoice="I", version="0", token="M"'],
        ['Cache-Control', 'no-store'],
      ] as const
      return {
        kind: 'challenge',
        answer: { status: 402, headers, body: call.method === 'HEAD' ? '' : '{"priceSats":10}' },
      }
    },
  }
  return gate
}

export interface Rig extends AsyncDisposable {
  readonly port: number
  readonly gateway: Gateway
  readonly gate: TestGate
  readonly log: readonly AccessEntry[]
  readonly trouble: readonly unknown[]
  /** With the same config, but for what is given. */
  reload(changed?: Partial<Pick<Config, 'services' | 'trustedProxies'>>): void
  /** The nth line of the access log, once it is written. */
  entry(index: number): Promise<AccessEntry>
}

export interface RigOptions {
  /** Seconds, or parts of one. */
  readonly timeouts?: Partial<Timeouts>
  readonly origin?: string
  /** Of tally.yaml, without the indentation of what is in it. */
  readonly yaml?: string
  /** Further lines of the service, indented by four. */
  readonly service?: string
  readonly clock?: () => Date
  readonly onUpstream?: (state: UpstreamState) => void
}

/** A gateway in front of `upstreamPort`: `/paid/**` costs 10 sat, everything else is free. */
export async function rig(
  upstreamPort: number,
  {
    timeouts,
    origin = `http://127.0.0.1:${upstreamPort}`,
    yaml = '',
    service: more = '',
    clock,
    onUpstream,
  }: RigOptions = {},
): Promise<Rig> {
  const { services, ...config } = loadConfig(
    `listen: 127.0.0.1:0
lightning: sim
${yaml}
services:
  a:
    upstream: ${origin}
${more}    routes:
      GET,POST,PUT,DELETE /paid/**: 10 sat
      GET,POST,PUT,DELETE,OPTIONS,PATCH /**: free
`,
    'tally.yaml',
  )
  const gate = testGate()
  const log: AccessEntry[] = []
  const trouble: unknown[] = []
  const waiting = new Set<() => void>()
  const whole: Config = {
    ...config,
    services: services.map((service) => ({ ...service, timeouts: { ...service.timeouts, ...timeouts } })),
  }
  const gateway = createGateway({
    config: whole,
    gate,
    ...(clock && { clock }),
    onTrouble: (error) => trouble.push(error),
    ...(onUpstream && { onUpstream }),
    log: (entry) => {
      log.push(entry)
      for (const check of waiting) check()
    },
  })
  const { port } = await gateway.listen()
  return {
    port,
    gateway,
    gate,
    log,
    trouble,
    reload: (changed) => gateway.reload({ ...whole, ...changed }),
    entry: (index) =>
      inTime(
        `line ${index} of the access log`,
        new Promise((resolve) => {
          const check = (): void => {
            const found = log[index]
            if (!found) return
            waiting.delete(check)
            resolve(found)
          }
          waiting.add(check)
          check()
        }),
      ),
    async [Symbol.asyncDispose]() {
      await gateway.close({ drainMs: 0 })
    },
  }
}
