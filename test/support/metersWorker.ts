/**
 * A process that checks tokens as a gateway does and has the charges taken by the store process. Each try appends a caveat
 * of its own. When the store process is gone it says so, waits for another one, and asks again for all it has no answer to.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { Bytes, Capability, Caveat, Key, Macaroon, sats } from 'tallystick/core'

export interface Work {
  readonly name: string
  readonly tries: number
  readonly key: string
  readonly preimage: string
  readonly tokens: readonly string[]
  readonly now: number
  readonly socket: string
}

export interface SpendMessage {
  readonly key: string
  readonly paymentHash: string
  readonly at: number
  readonly charges: readonly {
    readonly meter: string
    readonly kind: 'uses' | 'budget' | 'rate'
    readonly cost: string
    readonly limit: string
    readonly expires: number
    readonly caveat: string
    readonly link: string | undefined
  }[]
}

export type Report =
  | { readonly type: 'answer'; readonly token: number; readonly ok: boolean }
  | { readonly type: 'lost' }
  | { readonly type: 'done' }

const AT_ONCE = 16
const say = (report: Report): void => void process.send!(report)

const random = (bound: number): number => Math.floor(Math.random() * bound)

/** Allows what was allowed before, and changes every byte of the signature. */
function noOp(): Caveat.Caveat {
  const text = Bytes.toHex(Bytes.randomBytes(8))
  return [Caveat.link(`x${text}`), Caveat.parse(`purpose=${text}`), Caveat.verb('GET', 'HEAD')][random(3)]!
}

/** One try, as a gateway would make it of a request. */
function attempt(work: Work, count: number): { readonly token: number; readonly message: SpendMessage } {
  const token = random(work.tokens.length)
  const macaroon = Capability.attenuate(Macaroon.fromBase64(work.tokens[token]!), [noOp()])
  const now = new Date(work.now)
  const grant = Capability.verify(macaroon, {
    key: Key.from(work.key),
    preimage: Bytes.fromHex(work.preimage),
    request: { service: 'qr', verb: 'GET', path: '/qr/x', cost: sats(1) },
    now,
  })
  const charges = grant.charges.map(({ cost, limit, expires, ...charge }) => ({
    ...charge,
    cost: `${cost}`,
    limit: `${limit}`,
    expires: expires.getTime(),
  }))
  const key = `${work.name}-${String(count).padStart(6, '0')}`
  return { token, message: { key, paymentHash: Bytes.toHex(grant.paymentHash), at: work.now, charges } }
}

async function run(work: Work): Promise<void> {
  const waiting = new Map<string, ReturnType<typeof attempt>>()
  let made = 0
  for (;;) {
    const connection = connect(work.socket)
    // Not with once(), which an error would reject; how it ended does not matter.
    const lost = new Promise((resolve) => connection.on('close', resolve))
    const ask = ({ message }: ReturnType<typeof attempt>): void => void connection.write(`${JSON.stringify(message)}\n`)
    const more = (): void => {
      while (waiting.size < AT_ONCE && made < work.tries) {
        const next = attempt(work, made++)
        waiting.set(next.message.key, next)
        ask(next)
      }
      if (waiting.size === 0) connection.end()
    }
    const lines = createInterface({ input: connection }).on('error', () => {})
    connection.on('error', () => {})
    lines.on('line', (line) => {
      const { key, ok } = JSON.parse(line) as { key: string; ok: boolean }
      say({ type: 'answer', token: waiting.get(key)!.token, ok })
      waiting.delete(key)
      more()
    })
    for (const again of waiting.values()) ask(again)
    more()
    await lost
    if (waiting.size === 0) break
    say({ type: 'lost' })
    await once(process, 'message')
  }
  say({ type: 'done' })
  process.disconnect!()
}

process.once('message', (work: Work) => void run(work))
