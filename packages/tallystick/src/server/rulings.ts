/**
 * What an issuer decides about tokens that are out: a token, or all that was handed on at one link, is revoked, or must meet
 * further caveats. It holds from the next request on, also for credentials that are remembered as verified.
 *
 * Revoked is answered 402, like expired and spent: no request will ever mend the credential, and a fresh quote does.
 */
import * as Capability from '../core/Capability.ts'
import * as Caveat from '../core/Caveat.ts'
import { fromHex } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import type { Key } from '../core/Key.ts'
import * as Macaroon from '../core/Macaroon.ts'
import type { Ruling, Store } from '../storage/Store.ts'

export interface RevokeOptions {
  /** The token in base64, or its id as 64 hex digits. */
  readonly token: string
  /**
   * Only what was handed on at this link of it: `name` (the outermost of that name), `name#salt`, or the link's tag, which
   * is all that will do with just an id. Without it, the whole token, whoever holds what part of it.
   */
  readonly link?: string
}

export interface RestrictOptions extends RevokeOptions {
  /** Must hold as well from now on. None that counts, informs or demands evidence. */
  readonly caveats: readonly Caveat.CaveatLike[]
}

export interface Rulings {
  /** The capability as it stands now. Throws CAPABILITY_REVOKED, naming the link. */
  readonly standing: (authentic: Capability.Authentic) => Capability.Authentic
  readonly revoke: (options: RevokeOptions) => Promise<Ruling>
  readonly restrict: (options: RestrictOptions) => Promise<readonly Ruling[]>
  readonly rule: (hand: Subject, caveat?: string) => Promise<Ruling>
}

type Subject = Pick<Ruling, 'tag' | 'tokenId' | 'link' | 'until'>

export function createRulings(options: {
  readonly key: Key
  readonly store: Pick<Store, 'against' | 'rule'>
  readonly clock: () => Date
}): Rulings {
  const { key, store, clock } = options
  const parsed = new WeakMap<readonly string[], readonly Caveat.Caveat[]>()

  function parse(texts: readonly string[]): readonly Caveat.Caveat[] {
    const known = parsed.get(texts) ?? texts.map((text) => Caveat.parse(text))
    parsed.set(texts, known)
    return known
  }

  function standing(authentic: Capability.Authentic): Capability.Authentic {
    let narrowed = authentic
    for (const { tag, link } of authentic.hands) {
      const against = store.against(tag)
      if (against === undefined) continue
      if (against.revoked) throw revoked(link)
      if (against.caveats.length > 0) narrowed = Capability.narrow(narrowed, parse(against.caveats))
    }
    return narrowed
  }

  async function rule({ tag, tokenId, link, until }: Subject, caveat?: string): Promise<Ruling> {
    const ruling = { tag, tokenId, link, until, caveat, at: clock() }
    await store.rule(ruling)
    return ruling
  }

  return {
    standing,
    rule,
    revoke: async (wanted) => await rule(subjectOf(wanted, key)),
    async restrict({ caveats, ...wanted }) {
      const subject = subjectOf(wanted, key)
      const added = caveats.map((caveat) => Caveat.from(caveat))
      Capability.checkNarrowing(added)
      const rulings: Ruling[] = []
      for (const { text } of added) rulings.push(await rule(subject, text))
      return rulings
    },
  }
}

function revoked(link: string | undefined): TallyError {
  if (link === undefined) return new TallyError('CAPABILITY_REVOKED', 'this token was revoked by its issuer')
  const name = link.slice(0, link.indexOf('#'))
  return new TallyError('CAPABILITY_REVOKED', `link ${name} was revoked, with all that was handed on from there`, {
    details: { link: name },
  })
}

const HEX64 = /^[0-9a-f]{64}$/

function subjectOf({ token, link }: RevokeOptions, key: Key): Subject {
  if (HEX64.test(token)) {
    if (link !== undefined && !HEX64.test(link))
      throw new TallyError('DELEGATION_REFUSED', 'with just the id of a token, a link goes by its tag')
    return { tokenId: fromHex(token), tag: link ?? token, link, until: undefined }
  }
  const { hands, tokenId } = Capability.outline(Macaroon.fromBase64(token), { key })
  return subjectAt(tokenId, link === undefined ? hands[0]! : handNamed(hands, link))
}

export function subjectAt(tokenId: Uint8Array, { tag, link, ends }: Capability.Hand): Subject {
  return { tokenId, tag, link, until: ends }
}

/** The outermost of that name, so that nothing that goes by it is left. */
export function handNamed(hands: readonly Capability.Hand[], name: string): Capability.Hand {
  const found = hands.find(
    ({ link, tag }) => link !== undefined && (link === name || tag === name || link.startsWith(`${name}#`)),
  )
  if (found) return found
  const links = hands.flatMap(({ link }) => (link === undefined ? [] : [link])).join(', ')
  throw new TallyError('DELEGATION_REFUSED', `no such link in this token; it has ${links || 'none'}`)
}
