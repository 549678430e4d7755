/**
 * A request and an answer, reduced to what the gate needs, so that one gate serves fetch, node:http and every
 * framework, and the proxy path never builds a web Request (it costs more than the whole check).
 */
export interface Call {
  /** As sent, upper case. */
  readonly method: string
  /** Origin-form request target exactly as received: `/v1/search?q=1`. */
  readonly target: string
  /** All values of a header, `host` included, by lower-case name, in order received, unjoined where the platform can. */
  readonly header: (name: string) => readonly string[]
  /** Who asks, for the one open invoice per client: normally the socket's remote address. */
  readonly client: string
}

/** A complete answer made by the gate itself: a challenge or a refusal. Header order and repetition matter. */
export interface Answer {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}
