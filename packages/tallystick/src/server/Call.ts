/**
 * A request and an answer, reduced to what the gate needs, so that one gate serves fetch, node:http and every
 * framework, and the proxy path never builds a web Request (it costs more than the whole check).
 */
import type { Body } from '../core/Body.ts'

export interface Call {
  /** As sent, upper case. */
  readonly method: string
  /** Origin-form request target exactly as received: `/v1/search?q=1`. */
  readonly target: string
  /** All values of a header, `host` included, by lower-case name, in order received, unjoined where the platform can. */
  readonly header: (name: string) => readonly string[]
  /**
   * Who asks: normally the socket's remote address, or what a trusted proxy says. For the one open invoice per client, and
   * for `net=`, which refuses what is not an address.
   */
  readonly client: string
  /**
   * The authority it was sent to: lower case, `:port` unless it is the scheme's own; '' when that is none of ours. Left out,
   * the gate compares the Host header with its own `authorities`.
   */
  readonly authority?: string | undefined
  /** Reads the whole body, for caveats that ask for it; whoever has it forwards these very bytes. Left out, they refuse. */
  readonly body?: (() => Promise<Body>) | undefined
  /** `false`: whoever asks could not show an invoice to anybody, so the challenge comes without one. */
  readonly mints?: false
}

/** A complete answer made by the gate itself: a challenge or a refusal. Header order and repetition matter. */
export interface Answer {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}
