/**
 * Third-party caveats (Birgisson et al. §IV; libmacaroons and go-macaroon, byte for byte): the token is good only together
 * with a discharge, a macaroon in which somebody else says that a condition holds, under a key that the caveat carries
 * encrypted. A discharge may have caveats of its own, and all of them count.
 *
 *     const demanding = Discharge.demand(token, { location: 'https://auth.example', id, key: caveatKey })
 *     const discharge = Discharge.mint(caveatKey, id, 'https://auth.example', [Caveat.expires(soon)])
 *     const [root, ...bound] = [demanding, ...Discharge.bind(demanding, [discharge])]
 *
 * Binding names the last value of the token's chain, so it comes last: behind narrowing and behind sealing.
 */
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import { concat, equalConstantTime, fromUtf8, randomBytes, utf8, type Bytes } from './bytes.ts'
import * as Caveat from './Caveat.ts'
import type { CaveatLike } from './Caveat.ts'
import type { Vocabulary } from './caveats/rooms.ts'
import { TallyError } from './errors.ts'
import { hmacWith, padsOf } from './hmac.ts'
import type { Key } from './Key.ts'
import { refusal, trace, type Lineage } from './Lineage.ts'
import * as Macaroon from './Macaroon.ts'

const NONCE = 24
const zeros = padsOf(new Uint8Array(32))

/** Adds a third-party caveat. Needs no key of the issuer: whoever holds a token can demand more of the next holder. */
export function demand(
  macaroon: Macaroon.Macaroon,
  options: {
    /** Where to ask for the discharge; a hint. */
    readonly location: string
    /** What the third party reads to know what is asked of it. */
    readonly id: Bytes | string
    /** Known to the third party, or told to it in `id`. A secret. */
    readonly key: Bytes
    /** Random unless given. */
    readonly nonce?: Bytes
  },
): Macaroon.Macaroon {
  const { location, key, nonce = randomBytes(NONCE) } = options
  const sealed = xsalsa20poly1305(macaroon.signature, nonce).encrypt(Macaroon.deriveKey(key))
  const id = typeof options.id === 'string' ? utf8(options.id) : options.id
  return Macaroon.appendThirdParty(macaroon, { id, vid: concat(nonce, sealed), location })
}

/**
 * The caveat key for `id`, where third party and demander share a `Key`: then `id` may say in plain text what is asked,
 * with something random behind it, and need not hide the key. Whoever asks for another id gets another key.
 */
export const keyFor = (shared: Key, id: Bytes | string): Bytes =>
  shared.derive('discharge', typeof id === 'string' ? utf8(id) : id)

/** What the third party answers: the condition of `id` holds, as long as these caveats do. */
export function mint(
  key: Bytes,
  id: Bytes | string,
  location: string,
  caveats: readonly CaveatLike[] = [],
): Macaroon.Macaroon {
  return caveats.reduce<Macaroon.Macaroon>(
    (macaroon, caveat) => Macaroon.append(macaroon, Caveat.from(caveat).text),
    Macaroon.mint(key, typeof id === 'string' ? utf8(id) : id, location),
  )
}

/** Ties discharges to this very token, so that whoever intercepts them cannot use them with another. */
export const bind = (
  root: Pick<Macaroon.Macaroon, 'signature'>,
  discharges: readonly Macaroon.Macaroon[],
): readonly Macaroon.Macaroon[] =>
  discharges.map((discharge) => ({ ...discharge, signature: boundTo(root.signature, discharge.signature) }))

const boundTo = (root: Bytes, signature: Bytes): Bytes =>
  hmacWith(zeros, hmacWith(zeros, signature), hmacWith(zeros, root))

/** A discharge that was asked for and verified. */
export interface Discharged {
  readonly macaroon: Macaroon.Macaroon
  /** The chain value after each caveat. */
  readonly tags: readonly Bytes[]
  /** Which caveat of the root asked for it, or for the discharge that asked for it. */
  readonly index: number
}

/**
 * Finds and verifies a discharge for every third-party caveat of `root`, and for those of discharges. `before` are the
 * chain values of the root just before each of its caveats. Throws DISCHARGE_INVALID; one left over is refused as well.
 */
export function collect(
  root: Macaroon.Macaroon,
  before: readonly Bytes[],
  discharges: readonly Macaroon.Macaroon[],
): readonly Discharged[] {
  const unused = [...discharges]
  const collected: Discharged[] = []
  const visit = ({ caveats }: Macaroon.Macaroon, before: readonly Bytes[], index: number | undefined): void => {
    for (const [i, { id, vid, location }] of caveats.entries()) {
      if (vid === undefined) continue
      const at = unused.findIndex(({ identifier }) => equalConstantTime(identifier, id))
      if (at < 0) throw refused(location, 'no discharge came for it')
      const [macaroon] = unused.splice(at, 1) as [Macaroon.Macaroon]
      // Go and npm look discharges up by name and would find this one again.
      if (unused.some(({ identifier }) => equalConstantTime(identifier, id)))
        throw refused(location, 'two discharges came for it')
      const tags = Macaroon.chain(open(vid, before[i]!, location), macaroon)
      if (!equalConstantTime(boundTo(root.signature, tags.at(-1)!), macaroon.signature))
        throw refused(location, 'its discharge was not made for it, or is not bound to this token')
      const origin = index ?? i
      collected.push({ macaroon, tags: tags.slice(1), index: origin })
      visit(macaroon, tags, origin)
    }
  }
  visit(root, before, undefined)
  if (unused.length > 0) throw refused(unused[0]!.location, 'its discharge was not asked for, or came twice')
  return collected
}

function open(vid: Bytes, tag: Bytes, location: string | undefined): Bytes {
  const box = vid.subarray(NONCE)
  // 32 bytes of key and 16 of authenticator.
  if (box.length !== 48) throw refused(location, 'its verification id is not one')
  try {
    return xsalsa20poly1305(tag, vid.subarray(0, NONCE)).decrypt(box)
  } catch {
    throw refused(location, 'its verification id was not made for this token')
  }
}

function refused(location: string | undefined, why: string): TallyError<'DISCHARGE_INVALID'> {
  const where = Caveat.show(location ?? '')
  return new TallyError('DISCHARGE_INVALID', `third-party caveat (${where}): ${why}`, {
    details: { caveat: `third party ${where}`, dimension: 'third-party' },
  })
}

/** These say how a token is held, handed on and presented, which is not for whoever discharges it to say. */
const NOT_HERE = new Set(['profile', 'link', 'depth', 'preimage', 'paid', 'seal', 'req', 'key', 'handoff'])

/** What a discharge restricts: its own sequence, in which it may only narrow itself. Throws CAVEAT_*. */
export function restrictions(
  { macaroon }: Discharged,
  options: { readonly link: string | undefined; readonly vocabulary: Vocabulary | undefined },
): Lineage {
  const { link, vocabulary } = options
  const discharge = macaroon.location
  const first = macaroon.caveats.filter(({ vid }) => vid === undefined)
  const own = first.map(({ id }) => Caveat.parse(fromUtf8(id), vocabulary))
  const lineage = trace(own)
  const placed = lineage.placed.map((at) => ({ ...at, link, discharge }))
  for (const at of placed)
    if (NOT_HERE.has(at.caveat.key)) throw refusal('CAVEAT_REFUSED', at, 'it has no place in a discharge')
  return { ...lineage, placed }
}
