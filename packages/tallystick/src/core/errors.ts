/**
 * Every way Tallystick can refuse, in one table.
 *
 * `status` is what an HTTP server answers when the error reaches it; `fix` is what the person or program that got the
 * error can do about it. docs/errors.md is generated from this table, so a code is explained in exactly one place.
 * Wrong arguments from a programmer stay `TypeError`, as in noble: they are bugs, not outcomes.
 */
export const errors = {
  // Values
  AMOUNT_INVALID: { status: 400, fix: 'Write an amount as a whole number and a unit, like "10 sat" or "1500 msat".' },
  ENCODING_INVALID: { status: 400, fix: 'Check that the text is complete and is hex or base64, as the message says.' },
  KEY_INVALID: { status: 500, fix: 'A key is 32 random bytes as 64 hex digits: `openssl rand -hex 32`.' },

  JSON_MALFORMED: {
    status: 400,
    fix: 'Send JSON in UTF-8 that every parser reads alike: no key twice, at most 1 MiB and 64 levels.',
  },

  // Macaroons and capabilities
  MACAROON_MALFORMED: { status: 402, fix: 'Send the macaroon exactly as it was given to you, in standard base64.' },
  CAPABILITY_INVALID: { status: 402, fix: 'Ask for a new quote: send the request without credentials.' },
  CAPABILITY_EXPIRED: { status: 402, fix: 'Ask for a new quote: send the request without credentials.' },
  CAPABILITY_SPENT: { status: 402, fix: 'Ask for a new quote: send the request without credentials.' },
  CAPABILITY_REVOKED: {
    status: 402,
    fix: 'Ask whoever handed you this token for another, or send the request without credentials to get a quote.',
  },
  DELEGATION_REFUSED: {
    status: 403,
    fix: 'Present the token you handed on, and name one that was narrowed from it, with a `link` (for units also a `uses` or `budget`) of its own.',
  },
  RATE_EXCEEDED: { status: 429, fix: 'Wait as many seconds as `retry-after` says, then send the request again.' },
  REQUEST_REPLAYED: { status: 409, fix: 'A sealed request runs once. Seal a new one if you want it to run again.' },
  CAPABILITY_LIMIT: {
    status: 403,
    fix: 'Use fewer or shorter caveats: a token is at most 4 KiB, 64 caveats, 8 links, 8 meters and 4 discharges; a caveat 1,024 bytes and 64 items.',
  },
  CAPABILITY_UNPROFILED: {
    status: 403,
    fix: 'This token does not promise to enforce our caveats. Narrow it with `services` or `<service>_valid_until` only.',
  },
  PAYMENT_UNSETTLED: {
    status: 503,
    fix: 'The payee has not seen the payment arrive yet. Send the same request again in a few seconds.',
  },
  SEAL_INVALID: {
    status: 403,
    fix: 'Seal every request anew with `req=`, as the last caveat, for exactly what is sent, by a clock that is right to a minute.',
  },
  BODY_MISMATCH: {
    status: 400,
    fix: 'Send exactly the body that `Content-Digest` names, and seal the request with that digest.',
  },
  SEAL_UNCHECKABLE: {
    status: 403,
    fix: 'Bodies are not seen here: send GET or HEAD, or ask the operator for `sealed_bodies: accept`.',
  },
  HOLDER_UNPROVEN: {
    status: 403,
    fix: 'Seal the request and sign it with the key that the token names; another key needs a `handoff=` by the one before.',
  },
  DISCHARGE_INVALID: {
    status: 403,
    fix: 'Send one discharge for each third-party caveat, bound to the token as it is sent, behind the token.',
  },
  CHALLENGE_UNKNOWN: {
    status: 402,
    fix: 'Send the request without credentials, and answer the challenge that comes back.',
  },
  CHALLENGE_EXPIRED: {
    status: 402,
    fix: 'Send the request without credentials, and answer the challenge before it expires.',
  },
  SESSION_UNKNOWN: { status: 402, fix: 'Open a session first: pay the deposit, then send `open` with its preimage.' },
  SESSION_CLOSED: { status: 402, fix: 'Open another session: send the request without credentials.' },
  REFUND_OWED: {
    status: 500,
    fix: 'Pay what is owed to the return invoice that the message names, from your own wallet.',
  },
  TIMESTAMP_MALFORMED: { status: 400, fix: 'Take the .ots file again as the calendar or `tally log anchor` wrote it.' },
  CALENDAR_FAILED: {
    status: 503,
    fix: 'Nothing is lost: the calendar is asked again. If it stays away, name another in `log.anchor`.',
  },
  PREIMAGE_MISMATCH: { status: 402, fix: 'Send the preimage your node returned for this invoice, as 64 hex digits.' },
  CAVEAT_MALFORMED: {
    status: 403,
    fix: 'Write the caveat exactly as docs/caveats.md spells it; there is one spelling.',
  },
  CAVEAT_UNKNOWN: {
    status: 403,
    fix: 'This verifier does not know the caveat, so it refuses. Use one of those in docs/caveats.md.',
  },
  CAVEAT_WIDENS: { status: 403, fix: 'A caveat may only narrow what came before it; drop or tighten it.' },
  CAVEAT_EMPTY: { status: 400, fix: 'Together with what came before, the caveat allows nothing at all; loosen it.' },
  CAVEAT_REFUSED: {
    status: 403,
    fix: 'Make a request the caveat allows, ask whoever handed you this token for a wider one, or send no credentials to get a quote.',
  },

  // The wire
  CHALLENGE_MALFORMED: {
    status: 502,
    fix: 'The server sent a payment challenge that cannot be read; tell its operator.',
  },
  CREDENTIAL_MALFORMED: {
    status: 402,
    fix: 'Send `Authorization: L402 <macaroon>:<preimage>`: base64, a colon, 64 hex digits.',
  },
  PATH_AMBIGUOUS: {
    status: 400,
    fix: 'Send the path in its one canonical form: no `..`, `//`, `\\`, `#`, and percent-escapes only where needed, in upper case.',
  },
  REQUEST_AMBIGUOUS: {
    status: 400,
    fix: 'Send a request that can be read in one way only: one Host header, a target such as `/path?query`, one length of the body.',
  },
  REQUEST_MALFORMED: { status: 400, fix: 'Send well-formed HTTP/1.1; the message says what was wrong.' },
  REQUEST_TIMEOUT: { status: 408, fix: 'Send the whole request without long pauses.' },
  HEADERS_TOO_LARGE: { status: 431, fix: 'Send fewer or shorter headers: at most 256, 32 KiB in all.' },
  BODY_TOO_LARGE: { status: 413, fix: 'Send less: the message says how much is taken, and why.' },
  METHOD_REFUSED: { status: 501, fix: 'Use another method: CONNECT and TRACE are never served through the gateway.' },
  ROUTE_UNKNOWN: {
    status: 404,
    fix: 'No route in tally.yaml matches this method and path; add one, `free` or with a price.',
  },

  // Invoices and terms
  INVOICE_MALFORMED: { status: 502, fix: 'The invoice is not valid BOLT11; ask for a new quote.' },
  INVOICE_AMOUNTLESS: { status: 502, fix: 'Amountless invoices are never paid: the payee could ask for anything.' },
  INVOICE_EXPIRED: { status: 502, fix: 'Ask for a new quote: send the request without credentials.' },
  INVOICE_WRONG_NETWORK: {
    status: 502,
    fix: 'The invoice is for another network than the wallet; pay with a wallet on that network.',
  },
  INVOICE_WRONG_HASH: {
    status: 502,
    fix: 'The invoice and the macaroon disagree about the payment hash. Do not pay; tell the operator.',
  },
  INVOICE_WRONG_AMOUNT: {
    status: 502,
    fix: 'The invoice asks for another amount than the quote. Do not pay; tell the operator.',
  },
  TERMS_MALFORMED: {
    status: 502,
    fix: 'The terms are not of a version this client reads. Update it, or tell the operator; do not pay.',
  },
  TERMS_MISMATCH: {
    status: 502,
    fix: 'The terms shown are not those the invoice commits to. Do not pay; tell the operator.',
  },

  // Receipts and their proof
  RECEIPT_MALFORMED: {
    status: 400,
    fix: 'Keep receipts byte for byte as they came; one changed character makes it another document.',
  },
  RECEIPT_INVALID: {
    status: 400,
    fix: 'Do not rely on this receipt: it was changed, or signed by somebody else than it says. Fetch it again from its service.',
  },
  // The log
  LOG_MALFORMED: {
    status: 400,
    fix: 'Pass the checkpoint, proof, key, tile or policy exactly as it was published; the message says what is wrong with it.',
  },
  LOG_ORIGIN_WRONG: {
    status: 400,
    fix: 'This is of another log than the one you trust. Get it from the right one, or add that log to your policy.',
  },
  LOG_SIGNATURE_INVALID: {
    status: 400,
    fix: 'Do not rely on it: who should have signed did not, or the text was changed afterwards. Get it again from its source.',
  },
  LOG_PROOF_INVALID: {
    status: 400,
    fix: 'Do not rely on it: what it proves is not so. Keep it, and ask the operator of the log for a proof that holds.',
  },
  LOG_UNWITNESSED: {
    status: 400,
    fix: 'Wait for the witnesses and ask for the proof again, or decide yourself that fewer are enough, in your policy.',
  },
  LOG_UNAVAILABLE: {
    status: 503,
    fix: 'The log cannot be written (disk full, locked or closed), so nothing is served that would have to be in it. Make room.',
  },
  LOG_DAMAGED: {
    status: 503,
    fix: 'Restore the newest backup of the log, not older than what it signed last; `tally log fsck` says what is wrong.',
  },
  LOG_ROLLED_BACK: {
    status: 503,
    fix: 'Restore a newer backup, or copy the missing tiles from a mirror. If they are lost, begin another log: a new `transparency.origin`, key and database.',
  },
  LOG_FORKED: {
    status: 503,
    fix: 'Two histories of one log are signed. Keep both as evidence; its operator must begin another log, with a new origin and key.',
  },
  WITNESS_FAILED: {
    status: 502,
    fix: 'Check the URL and key of this witness in the policy of the log; it is asked again, and the log goes on without it.',
  },
  LOG_ENTRY_TOO_LONG: { status: 400, fix: 'Log a digest of it instead.' },

  PREIMAGE_UNPAID: {
    status: 500,
    fix: 'Somebody who reads your node’s invoices made credentials of them, or the node lost its memory. Change its read access; the token is refused until the node reports the payment.',
  },
  PROOF_INVALID: {
    status: 400,
    fix: 'Do not rely on it. `reason` says which check failed; a fresh copy from whoever gave it to you may hold.',
  },
  RECEIPT_UNKNOWN: {
    status: 404,
    fix: 'Ask with the credential that the receipt was issued for, at the service that issued it.',
  },
  RECEIPT_UNAVAILABLE: {
    status: 503,
    fix: 'The log or the book of receipts cannot be written (a full disk, most likely), and nothing is sold without one. Make room; it is tried again by itself.',
  },

  // Paying
  BUDGET_EXCEEDED: { status: 402, fix: 'Raise the budget, wait for its next period, or approve the payment yourself.' },
  PAYMENT_REFUSED: { status: 402, fix: 'Your own policy refused this payment; loosen it or call something cheaper.' },
  PAYMENT_FAILED: {
    status: 502,
    fix: 'Nothing was paid. Check the wallet balance and its route to the payee, then try again.',
  },
  PAYMENT_PENDING: {
    status: 504,
    fix: 'The money may still move, so it is not paid again. Repeat the same request later to resume.',
  },
  PAID_NOT_SERVED: {
    status: 502,
    fix: 'The server took payment and still asks for one. The credential is kept; try again later or tell the operator.',
  },
  ORIGIN_REFUSED: { status: 403, fix: 'A credential is never sent to another origin; call the final URL directly.' },

  // Our own house
  NODE_UNAVAILABLE: {
    status: 503,
    fix: 'The Lightning node does not answer. Check that it runs and is reachable; paid credentials keep working.',
  },
  NODE_REFUSED: {
    status: 503,
    fix: 'The Lightning node answers, and says no. Its operator: `tally doctor` looks at what the node lets us do.',
  },
  QUOTES_EXHAUSTED: {
    status: 503,
    fix: 'Pay an invoice that you have, or ask again after as many seconds as `retry-after` says. Its operator: `invoices` in tally.yaml.',
  },
  PRICE_UNAVAILABLE: {
    status: 503,
    fix: 'What this costs cannot be said for now, so it is not sold. Try again later; its operator finds the reason in the log.',
  },
  NODE_UNSUPPORTED: {
    status: 501,
    fix: 'This Lightning backend cannot do that; the message says what and which ones can.',
  },
  STORE_BUSY: { status: 503, fix: 'Another process holds the database. Stop it, or give this one its own `store`.' },
  STORE_DAMAGED: {
    status: 503,
    fix: 'Restore the file from a backup, or move it away to begin anew: meters then start at zero, and a jar is empty.',
  },
  STORE_FOREIGN: {
    status: 500,
    fix: 'Give all gateways on one database the same `key`, or this one a database of its own.',
  },
  STORE_INCOMPATIBLE: {
    status: 500,
    fix: 'Name another file or database, or update Tallystick if a newer version wrote this one.',
  },
  STORE_UNAVAILABLE: {
    status: 503,
    fix: 'The database cannot be written (full, locked, read-only or away). Nothing metered is served until it can.',
  },
  STORE_UNSURE: {
    status: 503,
    fix: 'Ask again. Nothing was served, and what may have been charged for it is given back when the database answers.',
  },
  UPSTREAM_UNREACHABLE: {
    status: 502,
    fix: 'Check that the upstream in tally.yaml runs and listens where the config says.',
  },
  UPSTREAM_INVALID: {
    status: 502,
    fix: 'The upstream sent a response that is not valid HTTP/1.1; nothing was charged.',
  },
  UPSTREAM_DOWN: { status: 503, fix: 'Wait as many seconds as `retry-after` says; nothing was charged.' },
  UPSTREAM_CONNECT_TIMEOUT: { status: 504, fix: 'The upstream took no connection in time; nothing was charged.' },
  UPSTREAM_FIRST_BYTE_TIMEOUT: { status: 504, fix: 'The upstream did not answer in time; nothing was charged.' },
  UPSTREAM_IDLE_TIMEOUT: { status: 504, fix: 'The upstream fell silent in the middle; nothing was charged.' },
  UPSTREAM_TOTAL_TIMEOUT: { status: 504, fix: 'The upstream was not done in time; nothing was charged.' },
  PROXY_UNTRUSTED: {
    status: 404,
    fix: 'Add the address of your proxy to `trusted_proxies` in tally.yaml.',
  },
  PROXY_MISCONFIGURED: {
    status: 500,
    fix: 'Configure the proxy as `tally gateway snippet` writes it.',
  },
  CONFIG_INVALID: {
    status: 500,
    fix: 'Correct the line named in the message; `tally config check` lists every mistake at once.',
  },
  WALLET_UNKNOWN: { status: 503, fix: 'Start one with `tally up`, or name its socket with --wallet or TALLY_WALLET.' },
  ADMIN_DENIED: {
    status: 401,
    fix: 'Send `Authorization: L402 <token>` with a token of `tally admin token`, or ask through the socket in `state`.',
  },
  WALLET_DENIED: { status: 401, fix: 'Pass the token that the wallet was started with.' },
  SERVER_UNREACHABLE: {
    status: 502,
    fix: 'Check the address, and that the server listens there. What was paid for is kept: repeat the command.',
  },
  PORT_TAKEN: { status: 500, fix: 'Stop what listens there, or choose another with --port or `listen` in tally.yaml.' },
  FILE_UNAVAILABLE: {
    status: 500,
    fix: 'Check that the file exists and that you may read or write it, as the message says.',
  },
  USAGE: { status: 400, fix: 'Run the command with --help to see its options and examples.' },
} as const satisfies Record<string, { status: number; fix: string }>

export type ErrorCode = keyof typeof errors

/** What a machine may want to know beside the code. Values are text so that they survive JSON; amounts carry units. */
export type ErrorDetails = Readonly<Record<string, string | number>>

/** RFC 9457 problem details, as sent on the wire. */
export interface ProblemDetails {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ErrorCode
  readonly fix: string
  readonly [extension: string]: unknown
}

const brand = Symbol.for('tallystick.TallyError')

/** The one error class. Switch on `code`; show `message` and `fix` to people. */
export class TallyError<C extends ErrorCode = ErrorCode> extends Error {
  readonly code: C
  readonly status: number
  readonly fix: string
  readonly details: ErrorDetails

  constructor(code: C, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'TallyError'
    this.code = code
    this.status = errors[code].status
    this.fix = errors[code].fix
    this.details = options.details ?? {}
    Object.defineProperty(this, brand, { value: true })
  }

  /** True for our errors even when two copies of the library are loaded, which breaks `instanceof`. */
  static is(value: unknown): value is TallyError {
    return typeof value === 'object' && value !== null && brand in value
  }

  /** The body of an `application/problem+json` answer (RFC 9457). */
  toProblem(): ProblemDetails {
    return {
      type: `urn:tallystick:error:${this.code}`,
      title: this.code,
      status: this.status,
      detail: this.message,
      code: this.code,
      fix: this.fix,
      ...this.details,
    }
  }
}
