/**
 * What holders may ask of the issuer about what they handed on, online. Everything else about delegation works offline.
 *
 *     POST /.well-known/tally/revoke    {"token": "<one handed on>", "link": "scout-7"}
 *     POST /.well-known/tally/reserve   {"token": "<one handed on>", "uses": 5}
 *
 * The request carries the holder's own token as credential; `token`, or any that was narrowed from it, must begin with that
 * token. Its holder made it, so it learns nothing here, and whoever only got a part of a token decides about that part alone.
 */
import { TallyError } from '../core/errors.ts'
import type { Key } from '../core/Key.ts'
import type { Store } from '../storage/Store.ts'
import { problemAnswer } from './answer.ts'
import type { Answer, Call } from './Call.ts'
import { childOf, type Child } from './child.ts'
import { readFields, type Fields } from './fields.ts'
import type { Holder } from './holder.ts'
import { reserve } from './reserve.ts'
import { handNamed, subjectAt, type Rulings } from './rulings.ts'

export const REVOKE_PATH = '/.well-known/tally/revoke'
export const RESERVE_PATH = '/.well-known/tally/reserve'

export interface DeskOptions {
  readonly key: Key
  readonly store: Pick<Store, 'against' | 'reserve'>
  readonly clock: () => Date
  readonly rulings: Rulings
  /** Undefined when the request has no credential. Throws for one that is not good. */
  readonly identify: (call: Call) => Promise<Holder | undefined>
}

/** Undefined for a request that is not for the desk. */
export type Desk = (call: Call) => Promise<Answer | undefined>

export function createDesk(options: DeskOptions): Desk {
  const { key, clock, rulings } = options

  async function revoke(child: Child, wanted: Fields): Promise<object> {
    const below = child.hands.filter(({ length }) => length > child.shared)
    if (below.length === 0) throw new TallyError('DELEGATION_REFUSED', 'the token has no link below the one presented')
    const name = wanted.text('link')
    const hand = name === undefined ? below[0]! : handNamed(below, name)
    const { tag, link } = await rulings.rule(subjectAt(child.tokenId, hand))
    return { revoked: { link, tag } }
  }

  return async (call) => {
    const path = call.target.split('?', 1)[0]
    if (call.method !== 'POST' || (path !== REVOKE_PATH && path !== RESERVE_PATH)) return undefined
    try {
      const holder = await options.identify(call)
      if (!holder)
        throw new TallyError('CREDENTIAL_MALFORMED', 'expected the credential of whoever handed the token on')
      const wanted = await readFields(call)
      const child = childOf(holder, wanted.text('token'), key)
      if (path === REVOKE_PATH) return answer(await revoke(child, wanted))
      rulings.standing({ ...holder.authentic, hands: child.hands })
      return answer(await reserve(child, wanted, { store: options.store, now: clock() }))
    } catch (error) {
      if (!TallyError.is(error)) throw error
      return problemAnswer(call, error)
    }
  }
}

const answer = (body: object): Answer => ({
  status: 200,
  headers: [
    ['cache-control', 'no-store'],
    ['content-type', 'application/json'],
  ],
  body: JSON.stringify(body),
})
