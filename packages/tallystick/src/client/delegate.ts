/**
 * Handing on, and using what was handed on. A delegate gets a narrower token that needs no preimage, and a fetch that
 * presents it, sealed to each request; it cannot pay, and what it finds beside its token does not widen it.
 *
 *     const handed = delegate(kept, { to: 'scout', caveats: [Caveat.verb('GET'), Caveat.uses(5)] })
 *     const scout = delegatedFetch({ origin: 'https://api.example.com', credential: handed })
 */
import type { Bytes } from '../core/bytes.ts'
import * as Capability from '../core/Capability.ts'
import * as Caveat from '../core/Caveat.ts'
import type { CaveatLike } from '../core/Caveat.ts'
import * as Credential from '../core/Credential.ts'
import { TallyError } from '../core/errors.ts'
import { handOff, type HolderKey } from '../core/HolderKey.ts'
import * as Macaroon from '../core/Macaroon.ts'
import { discard } from './policy.ts'
import { MOST_REDIRECTS, nextHop } from './redirects.ts'
import { rememberSource } from './receipts.ts'
import { readRequest, send, type Fetch, type PayingFetch } from './request.ts'
import { createTimes, inTime } from './times.ts'
import { presentation, readToken } from './token.ts'

export interface DelegateOptions {
  /** Whom it is for, shown in refusals and receipts: a name, not a check. */
  readonly to: string
  readonly caveats: readonly CaveatLike[]
  /** The delegate's Ed25519 key, without which the token is then of no use (HolderKey.ts). */
  readonly key?: Bytes
  /** Ours, when the token is bound to it: it signs the delegate's key. */
  readonly holder?: HolderKey
}

/** What was bought, or was handed to us, as a credential for somebody else. Offline. */
export function delegate(
  { macaroon, preimage }: { readonly macaroon: string; readonly preimage?: Bytes | undefined },
  options: DelegateOptions,
): string {
  const { to, caveats, key, holder } = options
  const wanted = [Caveat.link(to), ...caveats]
  const narrowed = bindTo(Capability.attenuate(Macaroon.fromBase64(macaroon), wanted), key, holder)
  const bound = preimage && !Capability.isBound(narrowed) ? Capability.bind(narrowed, preimage) : narrowed
  return Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(bound), preimage: undefined })
}

function bindTo(macaroon: Macaroon.Macaroon, key: Bytes | undefined, holder: HolderKey | undefined): Macaroon.Macaroon {
  if (!key) return macaroon
  return holder ? handOff(macaroon, { holder, to: key }) : Capability.attenuate(macaroon, [Caveat.key(key)])
}

export interface DelegatedFetchOptions {
  /** Scheme, host and port that may see the credential, and no other. A token does not say it: the delegator does. */
  readonly origin: string
  /** As `delegate` returns it. */
  readonly credential: string
  /** For third-party caveats, not bound yet. */
  readonly discharges?: readonly Macaroon.Macaroon[]
  /** For a token that is bound to it. */
  readonly holder?: HolderKey
  readonly fetch?: Fetch
  readonly clock?: () => Date
}

/** A fetch that presents one credential and never pays: whatever the server answers is the caller's to see. */
export function delegatedFetch(options: DelegatedFetchOptions): PayingFetch {
  const { fetch = (url, init) => globalThis.fetch(url, init), clock = () => new Date(), discharges, holder } = options
  const { origin } = new URL(options.origin)
  const [credential, second] = Credential.parse({ authorization: [options.credential] })
  if (!credential || second) throw new TypeError('credential: expected one, as `L402 <macaroon>:`')
  const token = readToken(credential, { discharges, holder })
  const times = createTimes(clock)
  return async (input, init) => {
    let request = await readRequest(input, init)
    if (request.url.origin !== origin)
      throw new TallyError('ORIGIN_REFUSED', `the credential is for ${origin}, not for ${request.url.origin}`)
    for (let hop = 0; ; hop++) {
      const sending = request
      const response =
        sending.url.origin === origin
          ? await inTime(times, sending, async () =>
              send(fetch, sending, await presentation(token, sending, times.now(origin))),
            )
          : await send(fetch, sending)
      const next = nextHop(request, response)
      if (!next) {
        if (sending.url.origin === origin) rememberSource(response, { fetch, token, times, origin })
        return response
      }
      if (hop === MOST_REDIRECTS) throw new TypeError(`more than ${MOST_REDIRECTS} redirects from ${origin}`)
      await discard(response)
      request = next
    }
  }
}
