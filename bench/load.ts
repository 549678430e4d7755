/**
 * A load generator in a process of its own: keep-alive connections over plain sockets, one request in flight on each, so
 * that its cost per request is small and the same for every server it is pointed at.
 */
import { fork } from 'node:child_process'
import net from 'node:net'

export interface Load {
  readonly port: number
  readonly connections: number
  readonly milliseconds: number
  /** Whole request heads, sent in rotation. */
  readonly requests: readonly string[]
  /** So many in all, sent when they are due and not when the one before is answered. Without it as fast as they are. */
  readonly perSecond?: number
  /** Answers with another status are counted as errors. */
  readonly status: number
}

export interface Rate {
  /** Answered requests per second. */
  readonly perSecond: number
  readonly answered: number
  readonly errors: number
  readonly p50: number
  readonly p99: number
}

export interface Loader extends Disposable {
  drive(load: Load): Promise<Rate>
}

/** One process for all loads of a bench, so that its own warming up is over before anything counts. */
export function startLoader(): Loader {
  const child = fork(import.meta.filename)
  return {
    drive: (load) =>
      new Promise((resolve, reject) => {
        const onExit = (code: number | null): void => reject(new Error(`load generator ended with ${code}`))
        child.once('exit', onExit)
        child.once('message', (rate: Rate) => {
          child.off('exit', onExit)
          resolve(rate)
        })
        child.send(load)
      }),
    [Symbol.dispose]: () => void child.kill(),
  }
}

if (process.send && process.argv[1] === import.meta.filename)
  process.on('message', (load: Load) => void run(load).then((rate) => process.send!(rate)))

async function run(load: Load): Promise<Rate> {
  const latencies: number[] = []
  const tally = { errors: 0, next: 0 }
  const started = performance.now()
  const deadline = started + load.milliseconds
  await Promise.all(
    Array.from({ length: load.connections }, (_, i) =>
      connection({ load, deadline, latencies, tally, first: started + (i * 1000) / (load.perSecond ?? Infinity) }),
    ),
  )
  const seconds = (performance.now() - started) / 1000
  latencies.sort((a, b) => a - b)
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? Number.NaN
  return {
    perSecond: latencies.length / seconds,
    answered: latencies.length,
    errors: tally.errors,
    p50: at(0.5),
    p99: at(0.99),
  }
}

function connection(options: {
  readonly load: Load
  readonly deadline: number
  readonly latencies: number[]
  readonly tally: { errors: number; next: number }
  /** When its first request is due. */
  readonly first: number
}): Promise<void> {
  const { load, deadline, latencies, tally } = options
  const every = load.perSecond === undefined ? 0 : (load.connections * 1000) / load.perSecond
  return new Promise((resolve, reject) => {
    const socket = net.connect(load.port, '127.0.0.1')
    let buffered = ''
    let sentAt = 0
    let due = options.first
    socket.setNoDelay(true).setEncoding('latin1')
    function next(): void {
      if (every === 0) return send()
      const wait = due - performance.now()
      if (wait > 0) setTimeout(send, wait)
      else send()
    }
    function send(): void {
      // A request that had to wait for the answer before it was late, and its client waited, too.
      sentAt = every === 0 ? performance.now() : Math.min(due, performance.now())
      due += every
      if (sentAt > deadline) return void socket.end(resolve)
      socket.write(load.requests[tally.next++ % load.requests.length]!)
    }
    socket.on('connect', next)
    socket.on('error', reject)
    socket.on('data', (chunk: string) => {
      buffered += chunk
      const head = buffered.indexOf('\r\n\r\n')
      if (head < 0) return
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(buffered)?.[1] ?? 0)
      if (buffered.length < head + 4 + length) return
      if (!buffered.startsWith(`HTTP/1.1 ${load.status}`)) tally.errors++
      latencies.push(performance.now() - sentAt)
      buffered = ''
      next()
    })
  })
}
