/** One try of test/meters.test.ts, as a gateway would make it of a request, and how the processes of that test talk. */
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

export const AT_ONCE = 16
export const say = (report: Report): void => void process.send!(report)

const random = (bound: number): number => Math.floor(Math.random() * bound)

/** Allows what was allowed before, and changes every byte of the signature. */
function noOp(): Caveat.Caveat {
  const text = Bytes.toHex(Bytes.randomBytes(8))
  return [Caveat.link(`x${text}`), Caveat.parse(`purpose=${text}`), Caveat.verb('GET', 'HEAD')][random(3)]!
}

/** One try, as a gateway would make it of a request. */
export function attempt(work: Work, count: number): { readonly token: number; readonly message: SpendMessage } {
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
