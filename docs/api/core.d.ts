// core/index.d.ts
export { TallyError, errors, type ErrorCode, type ErrorDetails, type ProblemDetails } from './errors.ts';
export * as Bytes from './bytes.ts';
export * as Amount from './Amount.ts';
export { msats, sats, type AmountLike, type Msat } from './Amount.ts';
export { Key } from './Key.ts';
export { hmacSha256, sha256 } from './hmac.ts';
export * as Macaroon from './Macaroon.ts';
export * as Identifier from './Identifier.ts';
export * as Network from './Network.ts';
export * as Path from './Path.ts';
export * as PathPattern from './PathPattern.ts';
export * as Caveat from './Caveat.ts';
export { dlg1, keys as caveatKeys, vocabulary, type Vocabulary } from './caveats/rooms.ts';
export { limits } from './limits.ts';
export type { Action, Room, Sketch } from './caveats/Room.ts';
export * as Body from './Body.ts';
export * as Capability from './Capability.ts';
export * as Explain from './Explain.ts';
export type { Charge, Grant } from './Grant.ts';
export * as RequestSeal from './RequestSeal.ts';
export * as HolderKey from './HolderKey.ts';
export * as Discharge from './Discharge.ts';
export * as Invoice from './Invoice.ts';
export * as Challenge from './Challenge.ts';
export * as Credential from './Credential.ts';
export * as PaymentAuth from './PaymentAuth.ts';
export * as Terms from './Terms.ts';
export * as Receipt from './Receipt.ts';
export * as Merkle from './Merkle.ts';
export * as Tile from './Tile.ts';
export * as Edge from './Edge.ts';
export * as Note from './Note.ts';
export * as Checkpoint from './Checkpoint.ts';
export * as LogPolicy from './LogPolicy.ts';
export * as AddCheckpoint from './AddCheckpoint.ts';
export * as LogEvidence from './LogEvidence.ts';
export * as LogProof from './LogProof.ts';
export * as Proof from './Proof.ts';
export * as Ots from './Ots.ts';
export * as Anchor from './Anchor.ts';

// core/errors.d.ts
export declare const errors: {
    readonly AMOUNT_INVALID: {
        readonly status: 400;
        readonly fix: 'Write an amount as a whole number and a unit, like "10 sat" or "1500 msat".';
    };
    readonly ENCODING_INVALID: {
        readonly status: 400;
        readonly fix: 'Check that the text is complete and is hex or base64, as the message says.';
    };
    readonly KEY_INVALID: {
        readonly status: 500;
        readonly fix: 'A key is 32 random bytes as 64 hex digits: `openssl rand -hex 32`.';
    };
    readonly JSON_MALFORMED: {
        readonly status: 400;
        readonly fix: 'Send JSON in UTF-8 that every parser reads alike: no key twice, at most 1 MiB and 64 levels.';
    };
    readonly MACAROON_MALFORMED: {
        readonly status: 402;
        readonly fix: 'Send the macaroon exactly as it was given to you, in standard base64.';
    };
    readonly CAPABILITY_INVALID: {
        readonly status: 402;
        readonly fix: 'Ask for a new quote: send the request without credentials.';
    };
    readonly CAPABILITY_EXPIRED: {
        readonly status: 402;
        readonly fix: 'Ask for a new quote: send the request without credentials.';
    };
    readonly CAPABILITY_SPENT: {
        readonly status: 402;
        readonly fix: 'Ask for a new quote: send the request without credentials.';
    };
    readonly CAPABILITY_REVOKED: {
        readonly status: 402;
        readonly fix: 'Ask whoever handed you this token for another, or send the request without credentials to get a quote.';
    };
    readonly DELEGATION_REFUSED: {
        readonly status: 403;
        readonly fix: 'Present the token you handed on, and name one that was narrowed from it, with a `link` (for units also a `uses` or `budget`) of its own.';
    };
    readonly RATE_EXCEEDED: {
        readonly status: 429;
        readonly fix: 'Wait as many seconds as `retry-after` says, then send the request again.';
    };
    readonly REQUEST_REPLAYED: {
        readonly status: 409;
        readonly fix: 'A sealed request runs once. Seal a new one if you want it to run again.';
    };
    readonly CAPABILITY_LIMIT: {
        readonly status: 403;
        readonly fix: 'Use fewer or shorter caveats: a token is at most 4 KiB, 64 caveats, 8 links, 8 meters and 4 discharges; a caveat 1,024 bytes and 64 items.';
    };
    readonly CAPABILITY_UNPROFILED: {
        readonly status: 403;
        readonly fix: 'This token does not promise to enforce our caveats. Narrow it with `services` or `<service>_valid_until` only.';
    };
    readonly PAYMENT_UNSETTLED: {
        readonly status: 503;
        readonly fix: 'The payee has not seen the payment arrive yet. Send the same request again in a few seconds.';
    };
    readonly SEAL_INVALID: {
        readonly status: 403;
        readonly fix: 'Seal every request anew with `req=`, as the last caveat, for exactly what is sent, by a clock that is right to a minute.';
    };
    readonly BODY_MISMATCH: {
        readonly status: 400;
        readonly fix: 'Send exactly the body that `Content-Digest` names, and seal the request with that digest.';
    };
    readonly SEAL_UNCHECKABLE: {
        readonly status: 403;
        readonly fix: 'Bodies are not seen here: send GET or HEAD, or ask the operator for `sealed_bodies: accept`.';
    };
    readonly HOLDER_UNPROVEN: {
        readonly status: 403;
        readonly fix: 'Seal the request and sign it with the key that the token names; another key needs a `handoff=` by the one before.';
    };
    readonly DISCHARGE_INVALID: {
        readonly status: 403;
        readonly fix: 'Send one discharge for each third-party caveat, bound to the token as it is sent, behind the token.';
    };
    readonly CHALLENGE_UNKNOWN: {
        readonly status: 402;
        readonly fix: 'Send the request without credentials, and answer the challenge that comes back.';
    };
    readonly CHALLENGE_EXPIRED: {
        readonly status: 402;
        readonly fix: 'Send the request without credentials, and answer the challenge before it expires.';
    };
    readonly SESSION_UNKNOWN: {
        readonly status: 402;
        readonly fix: 'Open a session first: pay the deposit, then send `open` with its preimage.';
    };
    readonly SESSION_CLOSED: {
        readonly status: 402;
        readonly fix: 'Open another session: send the request without credentials.';
    };
    readonly REFUND_OWED: {
        readonly status: 500;
        readonly fix: 'Pay what is owed to the return invoice that the message names, from your own wallet.';
    };
    readonly TIMESTAMP_MALFORMED: {
        readonly status: 400;
        readonly fix: 'Take the .ots file again as the calendar or `tally log anchor` wrote it.';
    };
    readonly CALENDAR_FAILED: {
        readonly status: 503;
        readonly fix: 'Nothing is lost: the calendar is asked again. If it stays away, name another in `log.anchor`.';
    };
    readonly PREIMAGE_MISMATCH: {
        readonly status: 402;
        readonly fix: 'Send the preimage your node returned for this invoice, as 64 hex digits.';
    };
    readonly CAVEAT_MALFORMED: {
        readonly status: 403;
        readonly fix: 'Write the caveat exactly as docs/caveats.md spells it; there is one spelling.';
    };
    readonly CAVEAT_UNKNOWN: {
        readonly status: 403;
        readonly fix: 'This verifier does not know the caveat, so it refuses. Use one of those in docs/caveats.md.';
    };
    readonly CAVEAT_WIDENS: {
        readonly status: 403;
        readonly fix: 'A caveat may only narrow what came before it; drop or tighten it.';
    };
    readonly CAVEAT_EMPTY: {
        readonly status: 400;
        readonly fix: 'Together with what came before, the caveat allows nothing at all; loosen it.';
    };
    readonly CAVEAT_REFUSED: {
        readonly status: 403;
        readonly fix: 'Make a request the caveat allows, ask whoever handed you this token for a wider one, or send no credentials to get a quote.';
    };
    readonly CHALLENGE_MALFORMED: {
        readonly status: 502;
        readonly fix: 'The server sent a payment challenge that cannot be read; tell its operator.';
    };
    readonly CREDENTIAL_MALFORMED: {
        readonly status: 402;
        readonly fix: 'Send `Authorization: L402 <macaroon>:<preimage>`: base64, a colon, 64 hex digits.';
    };
    readonly PATH_AMBIGUOUS: {
        readonly status: 400;
        readonly fix: 'Send the path in its one canonical form: no `..`, `//`, `\\`, `#`, and percent-escapes only where needed, in upper case.';
    };
    readonly REQUEST_AMBIGUOUS: {
        readonly status: 400;
        readonly fix: 'Send a request that can be read in one way only: one Host header, a target such as `/path?query`, one length of the body.';
    };
    readonly REQUEST_MALFORMED: {
        readonly status: 400;
        readonly fix: 'Send well-formed HTTP/1.1; the message says what was wrong.';
    };
    readonly REQUEST_TIMEOUT: {
        readonly status: 408;
        readonly fix: 'Send the whole request without long pauses.';
    };
    readonly HEADERS_TOO_LARGE: {
        readonly status: 431;
        readonly fix: 'Send fewer or shorter headers: at most 256, 32 KiB in all.';
    };
    readonly BODY_TOO_LARGE: {
        readonly status: 413;
        readonly fix: 'Send less: the message says how much is taken, and why.';
    };
    readonly METHOD_REFUSED: {
        readonly status: 501;
        readonly fix: 'Use another method: CONNECT and TRACE are never served through the gateway.';
    };
    readonly ROUTE_UNKNOWN: {
        readonly status: 404;
        readonly fix: 'No route in tally.yaml matches this method and path; add one, `free` or with a price.';
    };
    readonly INVOICE_MALFORMED: {
        readonly status: 502;
        readonly fix: 'The invoice is not valid BOLT11; ask for a new quote.';
    };
    readonly INVOICE_AMOUNTLESS: {
        readonly status: 502;
        readonly fix: 'Amountless invoices are never paid: the payee could ask for anything.';
    };
    readonly INVOICE_EXPIRED: {
        readonly status: 502;
        readonly fix: 'Ask for a new quote: send the request without credentials.';
    };
    readonly INVOICE_WRONG_NETWORK: {
        readonly status: 502;
        readonly fix: 'The invoice is for another network than the wallet; pay with a wallet on that network.';
    };
    readonly INVOICE_WRONG_HASH: {
        readonly status: 502;
        readonly fix: 'The invoice and the macaroon disagree about the payment hash. Do not pay; tell the operator.';
    };
    readonly INVOICE_WRONG_AMOUNT: {
        readonly status: 502;
        readonly fix: 'The invoice asks for another amount than the quote. Do not pay; tell the operator.';
    };
    readonly TERMS_MALFORMED: {
        readonly status: 502;
        readonly fix: 'The terms are not of a version this client reads. Update it, or tell the operator; do not pay.';
    };
    readonly TERMS_MISMATCH: {
        readonly status: 502;
        readonly fix: 'The terms shown are not those the invoice commits to. Do not pay; tell the operator.';
    };
    readonly RECEIPT_MALFORMED: {
        readonly status: 400;
        readonly fix: 'Keep receipts byte for byte as they came; one changed character makes it another document.';
    };
    readonly RECEIPT_INVALID: {
        readonly status: 400;
        readonly fix: 'Do not rely on this receipt: it was changed, or signed by somebody else than it says. Fetch it again from its service.';
    };
    readonly LOG_MALFORMED: {
        readonly status: 400;
        readonly fix: 'Pass the checkpoint, proof, key, tile or policy exactly as it was published; the message says what is wrong with it.';
    };
    readonly LOG_ORIGIN_WRONG: {
        readonly status: 400;
        readonly fix: 'This is of another log than the one you trust. Get it from the right one, or add that log to your policy.';
    };
    readonly LOG_SIGNATURE_INVALID: {
        readonly status: 400;
        readonly fix: 'Do not rely on it: who should have signed did not, or the text was changed afterwards. Get it again from its source.';
    };
    readonly LOG_PROOF_INVALID: {
        readonly status: 400;
        readonly fix: 'Do not rely on it: what it proves is not so. Keep it, and ask the operator of the log for a proof that holds.';
    };
    readonly LOG_UNWITNESSED: {
        readonly status: 400;
        readonly fix: 'Wait for the witnesses and ask for the proof again, or decide yourself that fewer are enough, in your policy.';
    };
    readonly LOG_UNAVAILABLE: {
        readonly status: 503;
        readonly fix: 'The log cannot be written (disk full, locked or closed), so nothing is served that would have to be in it. Make room.';
    };
    readonly LOG_DAMAGED: {
        readonly status: 503;
        readonly fix: 'Restore the newest backup of the log, not older than what it signed last; `tally log fsck` says what is wrong.';
    };
    readonly LOG_ROLLED_BACK: {
        readonly status: 503;
        readonly fix: 'Restore a newer backup, or copy the missing tiles from a mirror. If they are lost, begin another log: a new `transparency.origin`, key and database.';
    };
    readonly LOG_FORKED: {
        readonly status: 503;
        readonly fix: 'Two histories of one log are signed. Keep both as evidence; its operator must begin another log, with a new origin and key.';
    };
    readonly WITNESS_FAILED: {
        readonly status: 502;
        readonly fix: 'Check the URL and key of this witness in the policy of the log; it is asked again, and the log goes on without it.';
    };
    readonly LOG_ENTRY_TOO_LONG: {
        readonly status: 400;
        readonly fix: 'Log a digest of it instead.';
    };
    readonly PREIMAGE_UNPAID: {
        readonly status: 500;
        readonly fix: 'Somebody who reads your node’s invoices made credentials of them, or the node lost its memory. Change its read access; the token is refused until the node reports the payment.';
    };
    readonly PROOF_INVALID: {
        readonly status: 400;
        readonly fix: 'Do not rely on it. `reason` says which check failed; a fresh copy from whoever gave it to you may hold.';
    };
    readonly RECEIPT_UNKNOWN: {
        readonly status: 404;
        readonly fix: 'Ask with the credential that the receipt was issued for, at the service that issued it.';
    };
    readonly RECEIPT_UNAVAILABLE: {
        readonly status: 503;
        readonly fix: 'The log or the book of receipts cannot be written (a full disk, most likely), and nothing is sold without one. Make room; it is tried again by itself.';
    };
    readonly BUDGET_EXCEEDED: {
        readonly status: 402;
        readonly fix: 'Raise the budget, wait for its next period, or approve the payment yourself.';
    };
    readonly PAYMENT_REFUSED: {
        readonly status: 402;
        readonly fix: 'Your own policy refused this payment; loosen it or call something cheaper.';
    };
    readonly PAYMENT_FAILED: {
        readonly status: 502;
        readonly fix: 'Nothing was paid. Check the wallet balance and its route to the payee, then try again.';
    };
    readonly PAYMENT_PENDING: {
        readonly status: 504;
        readonly fix: 'The money may still move, so it is not paid again. Repeat the same request later to resume.';
    };
    readonly PAID_NOT_SERVED: {
        readonly status: 502;
        readonly fix: 'The server took payment and still asks for one. The credential is kept; try again later or tell the operator.';
    };
    readonly ORIGIN_REFUSED: {
        readonly status: 403;
        readonly fix: 'A credential is never sent to another origin; call the final URL directly.';
    };
    readonly NODE_UNAVAILABLE: {
        readonly status: 503;
        readonly fix: 'The Lightning node does not answer. Check that it runs and is reachable; paid credentials keep working.';
    };
    readonly NODE_REFUSED: {
        readonly status: 503;
        readonly fix: 'The Lightning node answers, and says no. Its operator: `tally doctor` looks at what the node lets us do.';
    };
    readonly QUOTES_EXHAUSTED: {
        readonly status: 503;
        readonly fix: 'Pay an invoice that you have, or ask again after as many seconds as `retry-after` says. Its operator: `invoices` in tally.yaml.';
    };
    readonly PRICE_UNAVAILABLE: {
        readonly status: 503;
        readonly fix: 'What this costs cannot be said for now, so it is not sold. Try again later; its operator finds the reason in the log.';
    };
    readonly NODE_UNSUPPORTED: {
        readonly status: 501;
        readonly fix: 'This Lightning backend cannot do that; the message says what and which ones can.';
    };
    readonly STORE_BUSY: {
        readonly status: 503;
        readonly fix: 'Another process holds the database. Stop it, or give this one its own `store`.';
    };
    readonly STORE_DAMAGED: {
        readonly status: 503;
        readonly fix: 'Restore the file from a backup, or move it away to begin anew: meters then start at zero, and a jar is empty.';
    };
    readonly STORE_FOREIGN: {
        readonly status: 500;
        readonly fix: 'Give all gateways on one database the same `key`, or this one a database of its own.';
    };
    readonly STORE_INCOMPATIBLE: {
        readonly status: 500;
        readonly fix: 'Name another file or database, or update Tallystick if a newer version wrote this one.';
    };
    readonly STORE_UNAVAILABLE: {
        readonly status: 503;
        readonly fix: 'The database cannot be written (full, locked, read-only or away). Nothing metered is served until it can.';
    };
    readonly STORE_UNSURE: {
        readonly status: 503;
        readonly fix: 'Ask again. Nothing was served, and what may have been charged for it is given back when the database answers.';
    };
    readonly UPSTREAM_UNREACHABLE: {
        readonly status: 502;
        readonly fix: 'Check that the upstream in tally.yaml runs and listens where the config says.';
    };
    readonly UPSTREAM_INVALID: {
        readonly status: 502;
        readonly fix: 'The upstream sent a response that is not valid HTTP/1.1; nothing was charged.';
    };
    readonly UPSTREAM_DOWN: {
        readonly status: 503;
        readonly fix: 'Wait as many seconds as `retry-after` says; nothing was charged.';
    };
    readonly UPSTREAM_CONNECT_TIMEOUT: {
        readonly status: 504;
        readonly fix: 'The upstream took no connection in time; nothing was charged.';
    };
    readonly UPSTREAM_FIRST_BYTE_TIMEOUT: {
        readonly status: 504;
        readonly fix: 'The upstream did not answer in time; nothing was charged.';
    };
    readonly UPSTREAM_IDLE_TIMEOUT: {
        readonly status: 504;
        readonly fix: 'The upstream fell silent in the middle; nothing was charged.';
    };
    readonly UPSTREAM_TOTAL_TIMEOUT: {
        readonly status: 504;
        readonly fix: 'The upstream was not done in time; nothing was charged.';
    };
    readonly PROXY_UNTRUSTED: {
        readonly status: 404;
        readonly fix: 'Add the address of your proxy to `trusted_proxies` in tally.yaml.';
    };
    readonly PROXY_MISCONFIGURED: {
        readonly status: 500;
        readonly fix: 'Configure the proxy as `tally gateway snippet` writes it.';
    };
    readonly CONFIG_INVALID: {
        readonly status: 500;
        readonly fix: 'Correct the line named in the message; `tally config check` lists every mistake at once.';
    };
    readonly WALLET_UNKNOWN: {
        readonly status: 503;
        readonly fix: 'Start one with `tally up`, or name its socket with --wallet or TALLY_WALLET.';
    };
    readonly ADMIN_DENIED: {
        readonly status: 401;
        readonly fix: 'Send `Authorization: L402 <token>` with a token of `tally admin token`, or ask through the socket in `state`.';
    };
    readonly WALLET_DENIED: {
        readonly status: 401;
        readonly fix: 'Pass the token that the wallet was started with.';
    };
    readonly SERVER_UNREACHABLE: {
        readonly status: 502;
        readonly fix: 'Check the address, and that the server listens there. What was paid for is kept: repeat the command.';
    };
    readonly PORT_TAKEN: {
        readonly status: 500;
        readonly fix: 'Stop what listens there, or choose another with --port or `listen` in tally.yaml.';
    };
    readonly FILE_UNAVAILABLE: {
        readonly status: 500;
        readonly fix: 'Check that the file exists and that you may read or write it, as the message says.';
    };
    readonly USAGE: {
        readonly status: 400;
        readonly fix: 'Run the command with --help to see its options and examples.';
    };
};
export type ErrorCode = keyof typeof errors;
export type ErrorDetails = Readonly<Record<string, string | number>>;
export interface ProblemDetails {
    readonly type: string;
    readonly title: string;
    readonly status: number;
    readonly detail: string;
    readonly code: ErrorCode;
    readonly fix: string;
    readonly [extension: string]: unknown;
}
export declare class TallyError<C extends ErrorCode = ErrorCode> extends Error {
    readonly code: C;
    readonly status: number;
    readonly fix: string;
    readonly details: ErrorDetails;
    constructor(code: C, message: string, options?: {
        details?: ErrorDetails;
        cause?: unknown;
    });
    static is(value: unknown): value is TallyError;
    toProblem(): ProblemDetails;
}

// core/bytes.d.ts
export type Bytes = Uint8Array;
export declare const toHex: (bytes: Bytes) => string;
export declare function fromHex(text: string, length?: number): Bytes;
export declare const toBase64: (bytes: Bytes) => string;
export declare const toBase64Url: (bytes: Bytes) => string;
export declare function fromBase64(text: string): Bytes;
export declare const utf8: (text: string) => Bytes;
export declare function fromUtf8(bytes: Bytes): string;
export declare function concat(...parts: readonly Bytes[]): Bytes;
export declare function equalConstantTime(a: Bytes, b: Bytes): boolean;
export declare function randomBytes(length: number): Bytes;

// core/Amount.d.ts
declare const msatBrand: unique symbol;
export type Msat = bigint & {
    readonly [msatBrand]: true;
};
export declare function msats(value: bigint): Msat;
export declare function sats(value: bigint | number): Msat;
export declare const ZERO: Msat;
export declare function parse(text: string): Msat;
export declare function format(amount: Msat): string;
export declare function ceilSats(amount: Msat): number;
export type AmountLike = Msat | string;
export declare function from(amount: AmountLike): Msat;
export {};

// core/Key.d.ts
import { type Bytes } from './bytes.ts';
export declare class Key {
    #private;
    private constructor();
    static random(): Key;
    static from(secret: string | Bytes): Key;
    derive(label: string, data?: Bytes): Bytes;
    unsafeHex(): string;
    toString(): string;
    toJSON(): string;
}

// core/hmac.d.ts
import type { Bytes } from './bytes.ts';
import * as plain from './sha256.ts';
export { padsOf, type Pads } from './sha256.ts';
export declare const sha256: (message: Bytes) => Bytes;
export declare const hmacChain: (pads: plain.Pads, messages: readonly Bytes[], from?: number, prefix?: Bytes) => readonly Bytes[];
export declare const hmacWith: (pads: plain.Pads, message: Bytes, prefix?: Bytes) => Bytes;
export declare const hmacSha256: (key: Bytes, message: Bytes) => Bytes;

// core/sha256.d.ts
import { type Bytes } from './bytes.ts';
export declare const K: Int32Array<ArrayBuffer>;
export declare const IV: Int32Array<ArrayBuffer>;
export declare function hash(message: Bytes): Bytes;
export type Pads = Int32Array;
export declare function padsOf(key: Bytes): Pads;
export declare function chain(pads: Pads, messages: readonly Bytes[], from?: number, prefix?: Bytes): readonly Bytes[];

// core/Macaroon.d.ts
import { type Bytes } from './bytes.ts';
export interface MacaroonCaveat {
    readonly id: Bytes;
    readonly vid?: Bytes | undefined;
    readonly location?: string | undefined;
}
export interface Macaroon {
    readonly location: string;
    readonly identifier: Bytes;
    readonly caveats: readonly MacaroonCaveat[];
    readonly signature: Bytes;
}
export declare const MAX_BYTES: 4096;
export declare const MAX_CAVEATS: 64;
export declare const MAX_CAVEAT_BYTES: 1024;
export declare const MAX_DISCHARGES: 4;
export declare function mint(rootKey: Bytes, identifier: Bytes, location: string): Macaroon;
export declare function append(macaroon: Macaroon, caveat: string | Bytes): Macaroon;
export declare function appendThirdParty(macaroon: Macaroon, { id, vid, location }: {
    readonly id: Bytes;
    readonly vid: Bytes;
    readonly location: string;
}): Macaroon;
export declare const deriveKey: (key: Bytes) => Bytes;
export declare function verify(rootKey: Bytes, macaroon: Macaroon): readonly Bytes[];
export declare function chain(derivedKey: Bytes, { identifier, caveats }: Pick<Macaroon, 'identifier' | 'caveats'>): readonly Bytes[];
export declare function encode(macaroon: Macaroon): Bytes;
export declare const toBase64: (macaroon: Macaroon) => string;
export declare function toBase64All(root: Macaroon, discharges: readonly Macaroon[]): string;
export declare const fromBase64: (text: string) => Macaroon;
export declare const fromBase64All: (text: string) => readonly [Macaroon, ...Macaroon[]];
export declare function decode(bytes: Bytes): Macaroon;
export declare function decodeAll(bytes: Bytes): readonly [Macaroon, ...Macaroon[]];

// core/Identifier.d.ts
import type { Bytes } from './bytes.ts';
export interface Identifier {
    readonly paymentHash: Bytes;
    readonly tokenId: Bytes;
}
export declare const LENGTH = 66;
export declare function encode({ paymentHash, tokenId }: Identifier): Bytes;
export declare function decode(bytes: Bytes): Identifier;

// core/Network.d.ts
export interface Address {
    readonly family: 4 | 6;
    readonly value: bigint;
}
export interface Network {
    readonly text: string;
    readonly family: 4 | 6;
    readonly first: bigint;
    readonly last: bigint;
}
type Range = Omit<Network, 'text'>;
export declare function parse(text: string): Network;
export declare const format: (network: Network) => string;
export declare function parseAddress(text: string): Address | undefined;
export declare function formatAddress({ family, value }: Address): string;
export declare const contains: (network: Range, { family, value }: Address) => boolean;
export declare function witness(a: readonly Network[], b: readonly Network[]): string | undefined;
export declare function meet(a: readonly Network[], b: readonly Network[]): readonly Network[];
export declare const EVERYWHERE: readonly Network[];
export {};

// core/Path.d.ts
export interface Target {
    readonly path: string;
    readonly query: string;
}
export declare function canonicalTarget(target: string): Target;

// core/PathPattern.d.ts
export interface PathPattern {
    readonly text: string;
    readonly segments: readonly string[];
}
export declare function parse(text: string): PathPattern;
export declare const format: (pattern: PathPattern) => string;
export declare function matches({ segments }: PathPattern, path: string): boolean;
export declare function subset(inner: readonly PathPattern[], outer: readonly PathPattern[]): boolean;
export declare function witness(a: readonly PathPattern[], b: readonly PathPattern[]): string | undefined;
export declare function meet(a: readonly PathPattern[], b: readonly PathPattern[]): readonly PathPattern[];

// core/Caveat.d.ts
import type { AmountLike } from './Amount.ts';
import { type Bytes } from './bytes.ts';
import type { Room } from './caveats/Room.ts';
import { type Vocabulary } from './caveats/rooms.ts';
export interface Caveat {
    readonly text: string;
    readonly key: string;
    readonly subject: string;
    readonly room: Room<unknown>;
    readonly value: unknown;
}
export type CaveatLike = Caveat | string;
export declare const from: (caveat: CaveatLike, vocabulary?: Vocabulary) => Caveat;
export declare const format: (caveat: Caveat) => string;
export declare function parse(text: string, vocabulary?: Vocabulary): Caveat;
export declare const show: (text: string) => string;
export declare function meet(a: Caveat, b: Caveat): Caveat | undefined;
export declare function witness(a: Caveat, b: Caveat): string | undefined;
export declare const services: (tiers: Readonly<Record<string, number>>) => Caveat;
export declare const validUntil: (service: string, time: Date) => Caveat;
export declare const profile: () => Caveat;
export declare const expires: (time: Date) => Caveat;
export declare const after: (time: Date) => Caveat;
export declare const verb: (...methods: readonly string[]) => Caveat;
export declare const path: (...patterns: readonly string[]) => Caveat;
export declare const aud: (...verifiers: readonly string[]) => Caveat;
export declare const host: (...hosts: readonly string[]) => Caveat;
export declare const net: (...networks: readonly string[]) => Caveat;
export declare const price: (most: AmountLike) => Caveat;
export declare const rate: (count: number, options: {
    readonly seconds: number;
}) => Caveat;
export declare const depth: (links: number) => Caveat;
export declare const purpose: (text: string) => Caveat;
export declare const uses: (count: number) => Caveat;
export declare const budget: (amount: AmountLike) => Caveat;
export declare const preimage: (bytes: Bytes) => Caveat;
export declare const seal: () => Caveat;
export declare const key: (publicKey: Bytes) => Caveat;
export declare const link: (name: string, salt?: string) => Caveat;

// core/caveats/Room.d.ts
import type { Msat } from '../Amount.ts';
import type { Body } from '../Body.ts';
import { TallyError } from '../errors.ts';
export interface Action {
    readonly service: string;
    readonly verb: string;
    readonly path: string;
    readonly cost: Msat;
    readonly now: Date;
    readonly tier?: number | undefined;
    readonly capability?: string | undefined;
    readonly verifier?: string | undefined;
    readonly host?: string | undefined;
    readonly query?: string | undefined;
    readonly body?: Body | undefined;
    readonly ip?: string | undefined;
    readonly facts?: Readonly<Record<string, unknown>> | undefined;
}
export interface Times {
    readonly now: Date;
    readonly moment: (seconds: number) => string;
}
export interface Sketch extends Partial<Omit<Action, 'body' | 'query' | 'facts'>> {
    readonly arguments?: Readonly<Record<string, string | number | null>>;
    readonly digest?: string;
    readonly used?: {
        readonly [K in 'uses' | 'budget' | 'rate']?: bigint;
    };
}
export interface Room<V> {
    readonly dimension: string;
    readonly secret?: true;
    readonly subject?: 'service' | 'selector';
    readonly always?: true;
    needsBody?(value: V): boolean;
    until?(value: V): number;
    readonly meter?: {
        readonly kind: 'uses' | 'budget' | 'rate';
        cost(action: Action): bigint;
        limit(value: V): bigint;
        period?(value: V): number;
    };
    parse(text: string, subject: string): V;
    format(value: V): string;
    refusal(value: V, action: Action): string | undefined;
    witness(a: V, b: V): string | undefined;
    meet(a: V, b: V): V | undefined;
    means?(value: V, times: Times): string;
    points?(a: V | undefined, b: V | undefined): readonly Sketch[];
}
export declare const malformed: (expected: string) => TallyError;
export declare function parseInt(text: string, what: string): number;
export declare const isLabel: (text: string) => boolean;
export declare function parseList<T>(text: string, what: string, parseItem: (item: string) => T): readonly T[];
export declare function parseHex64(text: string, what: string): string;
export declare const hasTwice: (items: readonly string[]) => boolean;
export declare function setMeet(a: readonly string[], b: readonly string[]): readonly string[] | undefined;
export declare function fresh(used?: readonly string[], letter?: string): string;
export declare function enumerate(items: readonly string[], conjunction: 'and' | 'or'): string;

// core/Body.d.ts
import { type Bytes } from './bytes.ts';
import * as Json from './Json.ts';
export interface Body {
    readonly digest: () => string;
    readonly json: () => {
        readonly value?: Json.Json;
        readonly why?: string;
    };
}
export declare function from(bytes: Bytes, options: {
    readonly contentType: string | undefined;
}): Body;

// core/Json.d.ts
import { type Bytes } from './bytes.ts';
export type Json = string | number | boolean | null | readonly Json[] | ReadonlyMap<string, Json>;
export declare const MAX_BYTES = 1048576;
export declare const MAX_DEPTH = 64;
export declare function parse(bytes: Bytes): Json;

// core/caveats/rooms.d.ts
import type { Room } from './Room.ts';
export declare const keys: readonly string[];
export interface Vocabulary {
    readonly find: (key: string) => {
        readonly room: Room<unknown>;
        readonly subject: string;
    } | undefined;
}
export declare const dlg1: Vocabulary;
export declare function vocabulary(own: Readonly<Record<string, Room<unknown>>>): Vocabulary;

// core/limits.d.ts
import { type ErrorDetails } from './errors.ts';
export declare const limits: {
    readonly token: 4096;
    readonly caveats: 64;
    readonly caveat: 1024;
    readonly items: 64;
    readonly links: 8;
    readonly meters: 8;
    readonly discharges: 4;
};
export declare function overLimit(limit: keyof typeof limits, count: number, prefix?: string, details?: ErrorDetails): void;

// core/Capability.d.ts
import { type Bytes } from './bytes.ts';
import * as Caveat from './Caveat.ts';
import type { CaveatLike } from './Caveat.ts';
import type { Action } from './caveats/Room.ts';
import type { Vocabulary } from './caveats/rooms.ts';
import type { Demands, Evidence, VerifyEd25519 } from './Evidence.ts';
import type { Grant } from './Grant.ts';
import type { Key } from './Key.ts';
import { type Lineage, type Placed } from './Lineage.ts';
import * as Macaroon from './Macaroon.ts';
import { type Hand } from './Outline.ts';
export { isProfiled } from './profiled.ts';
export type { Action } from './caveats/Room.ts';
export type { Evidence, VerifyEd25519 } from './Evidence.ts';
export { outline, type Hand, type Outline } from './Outline.ts';
declare const authenticBrand: unique symbol;
export interface Authentic {
    readonly [authenticBrand]: true;
    readonly tokenId: Bytes;
    readonly paymentHash: Bytes;
    readonly caveats: readonly string[];
    readonly links: readonly string[];
    readonly expires: Date | undefined;
    readonly conditions: readonly Placed[];
    readonly meters: readonly Meter[];
    readonly hands: readonly Hand[];
    readonly ends: Lineage['ends'];
    readonly demands: Demands;
    readonly given: boolean;
    readonly needsBody: boolean;
}
interface Meter {
    readonly placed: Placed;
    readonly id: string;
    readonly limit: bigint;
    readonly expires: Date;
}
export declare function mint(key: Key, options: {
    readonly paymentHash: Bytes;
    readonly tokenId?: Bytes;
    readonly location: string;
    readonly caveats: readonly CaveatLike[];
    readonly vocabulary?: Vocabulary | undefined;
}): Macaroon.Macaroon;
export declare function attenuate(macaroon: Macaroon.Macaroon, caveats: readonly CaveatLike[], options?: {
    readonly vocabulary?: Vocabulary | undefined;
}): Macaroon.Macaroon;
export declare function bind(macaroon: Macaroon.Macaroon, preimage: Bytes): Macaroon.Macaroon;
export declare const isBound: (macaroon: Macaroon.Macaroon) => boolean;
export declare const preimageFor: (key: Key, tokenId: Bytes) => Bytes;
export declare const giftFor: (key: Key, tokenId: Bytes) => Bytes;
export declare const isGift: (key: Key, { tokenId, paymentHash }: Pick<Authentic, 'tokenId' | 'paymentHash'>) => boolean;
export interface AuthenticateOptions {
    readonly key: Key;
    readonly preimage?: Bytes | undefined;
    readonly issued?: Bytes | undefined;
    readonly discharges?: readonly Macaroon.Macaroon[] | undefined;
    readonly ed25519?: VerifyEd25519 | undefined;
    readonly vocabulary?: Vocabulary | undefined;
}
export declare function authenticate(macaroon: Macaroon.Macaroon, options: AuthenticateOptions): Authentic;
export declare function authenticateNext(earlier: Authentic, { req, signature }: {
    readonly req: string;
    readonly signature: Bytes;
}): Authentic | undefined;
export declare function narrow(authentic: Authentic, caveats: readonly Caveat.Caveat[]): Authentic;
export declare function checkNarrowing(caveats: readonly Caveat.Caveat[]): readonly Placed[];
export declare function authorize(authentic: Authentic, action: Action, evidence?: Evidence): Grant;
export declare function verify(macaroon: Macaroon.Macaroon, options: AuthenticateOptions & Pick<Evidence, 'settled' | 'proof'> & {
    readonly request: Omit<Action, 'now'>;
    readonly sealed?: Bytes | undefined;
    readonly now: Date;
}): Grant;

// core/Evidence.d.ts
import { type Bytes } from './bytes.ts';
import type { Req } from './caveats/req.ts';
import type { VerifyEd25519 } from './ed25519.ts';
import { type Placed } from './Lineage.ts';
export type { VerifyEd25519 } from './ed25519.ts';
export interface Evidence {
    readonly settled?: boolean | undefined;
    readonly request?: Bytes | undefined;
    readonly proof?: Bytes | undefined;
}
export interface Demands {
    readonly paid: Placed | undefined;
    readonly seal: Placed | undefined;
    readonly req: {
        readonly at: Placed;
        readonly value: Req;
        readonly name: string;
    } | undefined;
    readonly holder: {
        readonly at: Placed;
        readonly message: Bytes | undefined;
        readonly ed25519: VerifyEd25519;
    } | undefined;
}
export declare const SEAL_WINDOW = 60;
export declare function checkOrder(entries: readonly (Placed | undefined)[]): void;
export declare function readDemands(entries: readonly (Placed | undefined)[], before: readonly Bytes[], options: {
    readonly signature: Bytes;
    readonly preimage: Bytes | undefined;
    readonly ed25519: VerifyEd25519 | undefined;
}): Demands;
export declare function sealedBy(demands: Demands, at: Placed, signature: Bytes): Demands;
export declare function checkEvidence({ paid, seal, req, holder }: Demands, now: Date, evidence: Evidence): void;
export declare function checkPreimage(paymentHash: Bytes, preimage: Bytes, at?: Placed): void;

// core/caveats/req.d.ts
import { type Bytes } from '../bytes.ts';
import { type Room } from './Room.ts';
export interface Req {
    readonly time: number;
    readonly nonce: string;
    readonly hash: Bytes;
}
export declare const req: Room<Req>;

// core/ed25519.d.ts
import { type Bytes } from './bytes.ts';
export type VerifyEd25519 = (signature: Bytes, message: Bytes, publicKey: Bytes) => boolean;
export interface Signer {
    readonly publicKey: Bytes;
    readonly sign: (message: Bytes) => Bytes;
}
export declare function signerOf(secret: Bytes): Signer;
export declare const verify: VerifyEd25519;

// core/Lineage.d.ts
import type { Caveat } from './Caveat.ts';
import { TallyError, type ErrorCode } from './errors.ts';
export declare const MAX_LINKS: 8;
export declare const MAX_METERS: 8;
export interface Placed {
    readonly caveat: Caveat;
    readonly link: string | undefined;
    readonly end: number;
    readonly discharge?: string;
    readonly later?: true;
}
export interface Lineage {
    readonly placed: readonly Placed[];
    readonly links: readonly string[];
    readonly end: number;
    readonly ends: ReadonlyMap<string, number>;
}
export declare function trace(caveats: readonly Caveat[]): Lineage;
export declare function checkNotEmpty({ placed, end }: Lineage): void;
export declare function overCount(limit: 'links' | 'meters', at: Omit<Placed, 'end'>): TallyError;
export declare function refusal(code: ErrorCode, placed: Omit<Placed, 'end'>, why: string): TallyError;

// core/Grant.d.ts
import type { Msat } from './Amount.ts';
import type { Bytes } from './bytes.ts';
import type { Hand } from './Outline.ts';
export interface Charge {
    readonly meter: string;
    readonly kind: 'uses' | 'budget' | 'rate';
    readonly cost: bigint;
    readonly limit: bigint;
    readonly period?: number;
    readonly expires: Date;
    readonly caveat: string;
    readonly link: string | undefined;
}
declare const grantBrand: unique symbol;
export interface Grant {
    readonly [grantBrand]: true;
    readonly tokenId: Bytes;
    readonly paymentHash: Bytes;
    readonly links: readonly string[];
    readonly hands: readonly Hand[];
    readonly caveats: readonly string[];
    readonly expires: Date | undefined;
    readonly cost: Msat;
    readonly charges: readonly Charge[];
}
export {};

// core/Outline.d.ts
import { type Bytes } from './bytes.ts';
import type { Vocabulary } from './caveats/rooms.ts';
import type { Charge } from './Grant.ts';
import type { Key } from './Key.ts';
import { type Placed } from './Lineage.ts';
import * as Macaroon from './Macaroon.ts';
export interface Hand {
    readonly tag: string;
    readonly link: string | undefined;
    readonly length: number;
    readonly ends: Date | undefined;
}
export interface Outline {
    readonly tokenId: Bytes;
    readonly paymentHash: Bytes;
    readonly hands: readonly Hand[];
    readonly meters: readonly (Omit<Charge, 'cost'> & {
        readonly length: number;
    })[];
    readonly expires: Date | undefined;
}
interface Step {
    readonly placed: Placed;
    readonly tag: Bytes;
    readonly length: number;
}
export declare const rootKey: (key: Key, identifier: Bytes) => Bytes;
export declare const dateOf: (seconds: number) => Date | undefined;
export declare function handsOf(key: Key, tokenId: Bytes, steps: readonly Step[]): readonly Hand[];
export declare function outline(macaroon: Macaroon.Macaroon, options: {
    readonly key: Key;
    readonly vocabulary?: Vocabulary | undefined;
}): Outline;
export {};

// core/profiled.d.ts
import type { Macaroon } from './Macaroon.ts';
export declare const textsOf: ({ caveats }: Macaroon) => readonly (string | undefined)[];
export declare const keyOf: (text: string) => string;
export declare const isL402: (key: string) => boolean;
export declare function isProfiled(macaroon: Macaroon): boolean;

// core/Explain.d.ts
import type { CaveatLike } from './Caveat.ts';
import type { Action, Times } from './caveats/Room.ts';
import type { Vocabulary } from './caveats/rooms.ts';
import type { Authentic } from './Capability.ts';
import { type ErrorCode } from './errors.ts';
import type { ExampleRequest } from './explain/Example.ts';
import { type Read } from './explain/words.ts';
import type { Macaroon } from './Macaroon.ts';
export { read, type Read } from './explain/words.ts';
export { toAction, type ExampleRequest } from './explain/Example.ts';
export type Relation = '=' | '⊂' | '⊥' | '⊄' | '+';
export interface Comparison {
    readonly dimension: string;
    readonly key: string;
    readonly relation: Relation;
    readonly before: string | undefined;
    readonly after: string | undefined;
    readonly difference?: string;
    readonly example?: ExampleRequest;
    readonly assuming?: readonly string[];
}
export interface Segment {
    readonly link: string | undefined;
    readonly discharge?: string;
    readonly caveats: readonly Omit<Read, 'caveat'>[];
    readonly comparisons: readonly Comparison[];
}
export interface Refusal {
    readonly caveat: string;
    readonly dimension: string;
    readonly link: string | undefined;
    readonly why: string;
}
export interface Explanation {
    readonly authenticated: boolean;
    readonly segments: readonly Segment[];
    readonly refused: {
        readonly code: ErrorCode;
        readonly message: string;
    } | undefined;
    readonly dead: boolean | undefined;
    readonly parent?: {
        readonly descends: boolean | undefined;
        readonly within: boolean;
        readonly comparisons: readonly Comparison[];
    };
    readonly request?: {
        readonly allowed: boolean;
        readonly refusals: readonly Refusal[];
        readonly provided: readonly string[];
    };
}
export type Explained = Macaroon | Authentic | readonly CaveatLike[];
export interface ExplainOptions {
    readonly now: Date;
    readonly parent?: Explained | undefined;
    readonly request?: Action | undefined;
    readonly moment?: Times['moment'] | undefined;
    readonly vocabulary?: Vocabulary | undefined;
}
export declare function explain(token: Explained, options: ExplainOptions): Explanation;

// core/explain/Example.d.ts
import type { Action, Sketch } from '../caveats/Room.ts';
export interface ExampleRequest {
    readonly service: string;
    readonly tier?: number;
    readonly capability?: string;
    readonly verb: string;
    readonly path: string;
    readonly query?: string;
    readonly body?: string;
    readonly bodySha256?: string;
    readonly verifier?: string;
    readonly host?: string;
    readonly ip?: string;
    readonly priceMsat: string;
    readonly now: string;
    readonly used: Readonly<Record<Counted, string>>;
}
export type Counted = 'uses' | 'rate' | 'budget';
export declare function toAction(request: ExampleRequest): Action;
export declare function toRequest(sketch: Sketch, options: {
    readonly now: Date;
}): ExampleRequest | undefined;

// core/explain/words.d.ts
import * as Caveat from '../Caveat.ts';
import type { Times } from '../caveats/Room.ts';
import type { Vocabulary } from '../caveats/rooms.ts';
import { TallyError } from '../errors.ts';
import type { MacaroonCaveat } from '../Macaroon.ts';
export interface Read {
    readonly text: string;
    readonly means: string;
    readonly caveat: Caveat.Caveat | undefined;
    readonly error: TallyError | undefined;
}
export declare function read(given: MacaroonCaveat | Caveat.CaveatLike, options: {
    readonly now: Date;
    readonly moment?: Times['moment'] | undefined;
    readonly vocabulary?: Vocabulary | undefined;
}): Read;

// core/RequestSeal.d.ts
import { type Bytes } from './bytes.ts';
import * as Macaroon from './Macaroon.ts';
export interface SealedRequest {
    readonly method: string;
    readonly authority: string;
    readonly path: string;
    readonly query: string;
    readonly body?: Bytes | undefined;
}
export declare const EMPTY: Bytes;
export declare const hash: ({ method, authority, path, query, body }: SealedRequest) => Bytes;
export declare function seal(macaroon: Macaroon.Macaroon, request: SealedRequest, now: Date): Macaroon.Macaroon;
export declare const formatDigest: (body: Bytes) => string;
export declare function parseDigest(values: readonly string[]): Bytes | undefined;

// core/HolderKey.d.ts
import { type Bytes } from './bytes.ts';
import type { CaveatLike } from './Caveat.ts';
import { type Signer } from './ed25519.ts';
import type { Macaroon } from './Macaroon.ts';
export { HEADER, parse as parseProof, prove } from './HolderProof.ts';
export { verify } from './ed25519.ts';
export interface HolderKey extends Signer {
    readonly unsafeHex: () => string;
}
export declare const random: () => HolderKey;
export declare function from(secret: string | Bytes): HolderKey;
export declare function handOff(macaroon: Macaroon, options: {
    readonly holder: HolderKey;
    readonly to: Bytes;
    readonly caveats?: readonly CaveatLike[];
}): Macaroon;

// core/HolderProof.d.ts
import { type Bytes } from './bytes.ts';
import type { HolderKey } from './HolderKey.ts';
import type { Macaroon } from './Macaroon.ts';
export declare const HEADER = "l402-proof";
export declare function prove(sealed: Macaroon, holder: Pick<HolderKey, 'sign'>): string;
export declare function parse(values: readonly string[]): Bytes | undefined;

// core/Discharge.d.ts
import { type Bytes } from './bytes.ts';
import type { CaveatLike } from './Caveat.ts';
import type { Vocabulary } from './caveats/rooms.ts';
import type { Key } from './Key.ts';
import { type Lineage } from './Lineage.ts';
import * as Macaroon from './Macaroon.ts';
export declare function demand(macaroon: Macaroon.Macaroon, options: {
    readonly location: string;
    readonly id: Bytes | string;
    readonly key: Bytes;
    readonly nonce?: Bytes;
}): Macaroon.Macaroon;
export declare const keyFor: (shared: Key, id: Bytes | string) => Bytes;
export declare function mint(key: Bytes, id: Bytes | string, location: string, caveats?: readonly CaveatLike[]): Macaroon.Macaroon;
export declare const bind: (root: Pick<Macaroon.Macaroon, 'signature'>, discharges: readonly Macaroon.Macaroon[]) => readonly Macaroon.Macaroon[];
export interface Discharged {
    readonly macaroon: Macaroon.Macaroon;
    readonly tags: readonly Bytes[];
    readonly index: number;
}
export declare function collect(root: Macaroon.Macaroon, before: readonly Bytes[], discharges: readonly Macaroon.Macaroon[]): readonly Discharged[];
export declare function restrictions({ macaroon }: Discharged, options: {
    readonly link: string | undefined;
    readonly vocabulary: Vocabulary | undefined;
}): Lineage;

// core/Invoice.d.ts
import { type Msat } from './Amount.ts';
import { type Bytes } from './bytes.ts';
import { type Fallback, type Hop } from './invoice/fields.ts';
import { type Network } from './invoice/prefix.ts';
export type { Fallback, Hop, Network };
export interface Invoice {
    readonly bolt11: string;
    readonly network: Network;
    readonly amount: Msat | undefined;
    readonly created: Date;
    readonly expires: Date;
    readonly paymentHash: Bytes;
    readonly paymentSecret: Bytes;
    readonly description: string | undefined;
    readonly descriptionHash: Bytes | undefined;
    readonly payee: Bytes;
    readonly minFinalCltv: number;
    readonly metadata: Bytes | undefined;
    readonly features: readonly number[];
    readonly routes: readonly (readonly Hop[])[];
    readonly fallbacks: readonly Fallback[];
}
export declare function decode(bolt11: string): Invoice;
export interface Expected {
    readonly paymentHash?: Bytes | undefined;
    readonly amount?: Msat | undefined;
    readonly network?: string | undefined;
    readonly descriptionHash?: Bytes | undefined;
    readonly now: Date;
}
export declare function checkAgainst(invoice: Invoice, expected: Expected): void;
export interface NewInvoice {
    readonly network: Network;
    readonly amount: Msat | undefined;
    readonly paymentHash: Bytes;
    readonly paymentSecret?: Bytes | undefined;
    readonly description?: string | undefined;
    readonly descriptionHash?: Bytes | undefined;
    readonly created: Date;
    readonly expires: Date;
    readonly minFinalCltv?: number | undefined;
    readonly payeeKey: Bytes;
}
export declare function encode(options: NewInvoice): string;

// core/invoice/fields.d.ts
import { type Msat } from '../Amount.ts';
import { type Bytes } from '../bytes.ts';
import { type Words } from './words.ts';
export interface Hop {
    readonly node: Bytes;
    readonly channel: string;
    readonly feeBase: Msat;
    readonly feePpm: number;
    readonly cltvDelta: number;
}
export interface Fallback {
    readonly version: number;
    readonly program: Bytes;
}
export interface Fields {
    readonly paymentHash: Bytes;
    readonly paymentSecret: Bytes;
    readonly description: string | undefined;
    readonly descriptionHash: Bytes | undefined;
    readonly expiry: number;
    readonly minFinalCltv: number;
    readonly node: Bytes | undefined;
    readonly metadata: Bytes | undefined;
    readonly features: readonly number[];
    readonly routes: readonly (readonly Hop[])[];
    readonly fallbacks: readonly Fallback[];
}
export declare function readFields(words: Words): Fields;
export declare function writeField(type: string, data: Words): number[];
export declare function writeFeatures(bits: readonly number[]): number[];

// core/invoice/words.d.ts
import type { Bytes } from '../bytes.ts';
import { TallyError } from '../errors.ts';
export type Words = readonly number[];
export declare function malformed(message: string, cause?: unknown): TallyError<'INVOICE_MALFORMED'>;
export declare function toUint(words: Words, what: string): number;
export declare function fromUint(value: number, length?: number): number[];
export declare function pack(words: Words): Bytes;
export declare function toBytes(words: Words, what: string): Bytes;

// core/invoice/prefix.d.ts
import { type Msat } from '../Amount.ts';
export type Network = 'bc' | 'tb' | 'tbs' | 'bcrt';
export declare function readPrefix(prefix: string): {
    network: Network;
    amount: Msat | undefined;
};
export declare function prefixOf(bolt11: string): ReturnType<typeof readPrefix>;
export declare function writePrefix(network: Network, amount: Msat | undefined): string;

// core/Challenge.d.ts
export interface Challenge {
    readonly scheme: 'L402' | 'LSAT';
    readonly macaroon: string;
    readonly invoice: string;
    readonly version?: string;
}
export declare function format(challenge: {
    macaroon: string;
    invoice: string;
}): readonly string[];
export declare function parse(values: readonly string[]): readonly Challenge[];

// core/Credential.d.ts
import { type Bytes } from './bytes.ts';
export interface Credential {
    readonly scheme: 'L402' | 'LSAT';
    readonly macaroon: string;
    readonly preimage: Bytes | undefined;
}
export declare function format({ scheme, macaroon, preimage }: Credential): string;
export interface CredentialHeaders {
    readonly authorization: readonly string[];
    readonly macaroon?: readonly string[];
}
export declare function parse(headers: CredentialHeaders): Credential[];

// core/PaymentAuth.d.ts
import * as Canonical from './canonical.ts';
import { type Bytes } from './bytes.ts';
import * as Json from './Json.ts';
import type { Key } from './Key.ts';
export type Intent = (typeof INTENTS)[number];
export interface Challenge {
    readonly id: string;
    readonly realm: string;
    readonly intent: Intent;
    readonly request: string;
    readonly expires: string;
}
export interface ChallengeOptions {
    readonly realm: string;
    readonly intent: Intent;
    readonly request: Canonical.Document;
    readonly expires: Date;
}
declare const INTENTS: readonly ['charge', 'session'];
export declare function challenge(key: Key, { realm, intent, request, expires }: ChallengeOptions): Challenge;
export declare function format({ id, realm, intent, request, expires }: Challenge): string;
export interface Credential {
    readonly challenge: Challenge;
    readonly payload: ReadonlyMap<string, Json.Json>;
}
export declare function isOurs(key: Key, { challenge }: Credential): boolean;
export declare function parse(authorization: readonly string[]): Credential | undefined;
export declare function requestOf({ challenge }: Credential): ReadonlyMap<string, Json.Json>;
export declare function hashIn(fields: ReadonlyMap<string, Json.Json>, name: string): Bytes;
export interface Receipt {
    readonly reference: string;
    readonly challengeId: string;
    readonly timestamp: Date;
    readonly more?: Readonly<Record<string, string | number>>;
}
export declare function formatReceipt({ reference, challengeId, timestamp, more }: Receipt): string;
export declare function preference(values: readonly string[], intent: Intent): number | undefined;
export {};

// core/canonical.d.ts
import { type Bytes } from './bytes.ts';
export type Document = {
    readonly [key: string]: Value;
};
export type Value = string | number | readonly Value[] | Document;
export declare function write(value: Value): string;
export declare function read(source: Bytes | string, options: {
    readonly most: number;
}): Document;

// core/Terms.d.ts
import { type Msat } from './Amount.ts';
import { type Bytes } from './bytes.ts';
import type { Invoice } from './Invoice.ts';
export type Mode = {
    readonly kind: 'uses';
    readonly uses: number;
} | {
    readonly kind: 'budget';
    readonly amount: Msat;
} | {
    readonly kind: 'pass';
    readonly seconds: number;
};
export interface Terms {
    readonly service: string;
    readonly route: string;
    readonly price: Msat;
    readonly amount: Msat;
    readonly mode: Mode;
    readonly expires: Date;
    readonly tokenId: Bytes;
    readonly receiptKey?: Bytes | undefined;
    readonly since?: Beacon | undefined;
}
export interface Beacon {
    readonly log?: {
        readonly origin: string;
        readonly size: number;
        readonly root: Bytes;
    } | undefined;
    readonly block?: {
        readonly height: number;
        readonly hash: Bytes;
        readonly header?: Bytes | undefined;
    } | undefined;
}
export declare function encode(terms: Terms): string;
export declare function decode(text: string): Terms;
export declare const hash: (text: string) => Bytes;
export declare function check(text: string, invoice: Invoice, options?: {
    tokenId?: Bytes | undefined;
}): Terms;

// core/Receipt.d.ts
import { type Bytes } from './bytes.ts';
import * as canonical from './canonical.ts';
import type { Document } from './canonical.ts';
import type { Signer, VerifyEd25519 } from './ed25519.ts';
import { type KindName, type Role } from './receipt/kinds.ts';
export { caveatDigest, requestDigest, tokenDigest, type Act } from './receipt/digests.ts';
export { kinds, SOURCES, type KindName, type Role, type Source } from './receipt/kinds.ts';
export type { Signer, VerifyEd25519 } from './ed25519.ts';
export { signerOf } from './ed25519.ts';
export declare const MOST_BYTES = 16384;
export interface Payload {
    readonly kind: KindName;
    readonly id: string;
    readonly deal: string;
    readonly prev: string | undefined;
    readonly at: Date;
    readonly fields: Document;
}
export interface Signature {
    readonly role: Role;
    readonly key: string;
    readonly sig: string;
    readonly batch?: Batch | undefined;
}
export interface Batch {
    readonly index: number;
    readonly size: number;
    readonly path: readonly string[];
}
export interface Envelope {
    readonly payload: string;
    readonly sigs: readonly Signature[];
}
export interface DraftOptions {
    readonly id: string;
    readonly deal: string;
    readonly prev?: string | undefined;
    readonly log?: string | undefined;
    readonly now: Date;
}
export interface Draft {
    readonly kind: KindName;
    readonly payload: string;
}
export declare function draft(kind: KindName, fields: Document, options: DraftOptions): Draft;
export declare const issue: (kind: KindName, fields: Document, options: DraftOptions & {
    readonly signer: Signer;
}) => Envelope;
export declare const MOST_BATCH = 256;
export declare function signAll(drafts: readonly Draft[], signer: Signer): readonly Envelope[];
export declare function message(payload: string, role: Role, kind: string): Bytes;
export declare function parse(payload: string): Payload;
export declare function check(envelope: Envelope, options?: {
    readonly ed25519?: VerifyEd25519 | undefined;
}): Payload;
export declare function countersign(envelope: Envelope, role: Role, signer: Signer): Envelope;
export declare const digest: ({ payload }: Pick<Envelope, 'payload'>) => string;
export declare const SALT_LENGTH = 32;
export declare function commitment({ payload, sigs: [issuer] }: Envelope, salt: Bytes): string;
export declare function leaf(envelope: Envelope, salt: Bytes): Bytes;
export interface Sealed {
    readonly text: string;
    readonly salt: Bytes;
    readonly leaf: Bytes;
}
export declare function seal(envelope: Envelope, salt: Bytes, made: Pick<Payload, 'kind' | 'at'>): Sealed;
export declare function encode({ payload, sigs }: Envelope): string;
export declare const documentOf: ({ payload, sigs }: Envelope) => Document;
export declare function decode(text: string): Envelope;
export declare function envelopeOf(value: canonical.Value | undefined): Envelope;
export interface Carried {
    readonly envelope: Envelope;
    readonly salt: Bytes;
    readonly index: number;
}
export declare const HEADER = "tally-receipt";
export declare const MOST_HEADER = 3072;
export declare function toHeader({ envelope: { payload, sigs }, salt, index }: Carried): string | undefined;
export declare const referTo: (id: string) => string;
export declare const referred: (text: string) => string | undefined;
export declare function fromHeader(text: string): Carried;

// core/receipt/kinds.d.ts
import { type Fields } from './fields.ts';
export type Role = 'service' | 'holder' | 'delegate';
interface Kind {
    readonly by: Role;
    readonly says: string;
    readonly fields: Fields;
}
export declare const common: Fields;
export declare const SOURCES: readonly ['node_confirmed', 'preimage_only', 'hold_accepted', 'not_sold'];
export type Source = (typeof SOURCES)[number];
export declare const kinds: {
    readonly quote: {
        readonly by: 'service';
        readonly says: 'it offered these terms for this invoice';
        readonly fields: {
            readonly service: import("./fields.ts").Field;
            readonly route: import("./fields.ts").Field;
            readonly price_msat: import("./fields.ts").Field;
        };
    };
    readonly settle: {
        readonly by: 'service';
        readonly says: 'it took the payment as made, and let this request in for it';
        readonly fields: {
            readonly settle: import("./fields.ts").Field;
            readonly 'token?': import("./fields.ts").Field;
            readonly 'act?': import("./fields.ts").Field;
            readonly 'cost_msat?': import("./fields.ts").Field;
        };
    };
    readonly deliver: {
        readonly by: 'service';
        readonly says: 'it sent this response';
        readonly fields: {
            readonly act: import("./fields.ts").Field;
            readonly result: import("./fields.ts").Field;
        };
    };
    readonly ack: {
        readonly by: 'holder';
        readonly says: 'it accepted what was delivered';
        readonly fields: {
            readonly result: import("./fields.ts").Field;
            readonly ok: import("./fields.ts").Field;
            readonly 'note?': import("./fields.ts").Field;
        };
    };
    readonly refund: {
        readonly by: 'service';
        readonly says: 'it gave the charge back';
        readonly fields: {
            readonly of: import("./fields.ts").Field;
            readonly 'cost_msat?': import("./fields.ts").Field;
            readonly 'reason?': import("./fields.ts").Field;
        };
    };
    readonly denial: {
        readonly by: 'service';
        readonly says: 'it refused this request, though the credential was its own';
        readonly fields: {
            readonly reason: import("./fields.ts").Field;
            readonly 'caveat?': import("./fields.ts").Field;
            readonly 'link?': import("./fields.ts").Field;
            readonly 'token?': import("./fields.ts").Field;
            readonly 'act?': import("./fields.ts").Field;
        };
    };
    readonly freeze: {
        readonly by: 'service';
        readonly says: 'it stopped what this names';
        readonly fields: {
            readonly subject: import("./fields.ts").Field;
            readonly 'tag?': import("./fields.ts").Field;
            readonly 'link?': import("./fields.ts").Field;
            readonly 'reason?': import("./fields.ts").Field;
        };
    };
    readonly promise: {
        readonly by: 'service';
        readonly says: 'the log will show this leaf by the deadline';
        readonly fields: {
            readonly leaf: import("./fields.ts").Field;
            readonly deadline: import("./fields.ts").Field;
        };
    };
    readonly keybind: {
        readonly by: 'service';
        readonly says: 'these keys and nodes are one party';
        readonly fields: {
            readonly keys: import("./fields.ts").Field;
            readonly 'nodes?': import("./fields.ts").Field;
            readonly 'origins?': import("./fields.ts").Field;
        };
    };
};
export type KindName = keyof typeof kinds;
export declare const kindOf: (name: string) => Kind | undefined;
export {};

// core/receipt/fields.d.ts
import type { Document, Value } from '../canonical.ts';
export type Field = (value: Value) => string | undefined;
export type Fields = Readonly<Record<string, Field>>;
export declare const hex16: Field;
export declare const hex32: Field;
export declare const node: Field;
export declare const msat: Field;
export declare const label: Field;
export declare const code: Field;
export declare const words: Field;
export declare const time: Field;
export declare const count: Field;
export declare const status: Field;
export declare const oneOf: (...values: readonly (string | number)[]) => Field;
export declare const listOf: (field: Field, most: number) => Field;
export declare const record: (fields: Fields) => Field;
export declare function wrongIn(document: Document, fields: Fields): string | undefined;

// core/receipt/digests.d.ts
import { type Bytes } from '../bytes.ts';
export declare const tokenDigest: (identifier: Bytes) => string;
export declare const caveatDigest: (text: string) => string;
export interface Act {
    readonly method: string;
    readonly authority: string;
    readonly path: string;
    readonly query: string;
}
export declare const requestDigest: ({ method, authority, path, query }: Act) => string;

// core/Merkle.d.ts
import { type Bytes } from './bytes.ts';
export declare const HASH_LENGTH = 32;
export type ReadNode = (level: number, index: number) => Bytes;
export declare const hashLeaf: (entry: Bytes) => Bytes;
export declare const hashNode: (left: Bytes, right: Bytes) => Bytes;
export declare const emptyRoot: () => Bytes;
export declare const root: (size: number, read: ReadNode) => Bytes;
export declare function proveInclusion(index: number, size: number, read: ReadNode): readonly Bytes[];
export declare function proveConsistency(from: number, to: number, read: ReadNode): readonly Bytes[];
export interface Inclusion {
    readonly leafHash: Bytes;
    readonly index: number;
    readonly size: number;
    readonly proof: readonly Bytes[];
}
export declare function rootOfInclusion({ leafHash, index, size, proof }: Inclusion): Bytes;
export declare function verifyInclusion(inclusion: Inclusion, expected: Bytes): void;
export interface Consistency {
    readonly from: number;
    readonly to: number;
    readonly fromRoot: Bytes;
    readonly toRoot: Bytes;
    readonly proof: readonly Bytes[];
}
export declare function verifyConsistency({ from, to, fromRoot, toRoot, proof }: Consistency): void;
export declare const isSize: (size: number) => boolean;
export declare function peaks(size: number): readonly {
    readonly level: number;
    readonly index: number;
}[];

// core/Tile.d.ts
import { type Bytes } from './bytes.ts';
import { TallyError } from './errors.ts';
import { type ReadNode } from './Merkle.ts';
export declare const WIDTH = 256;
export declare const MOST_LEVEL = 6;
export declare const MOST_ENTRY = 65535;
export interface Tile {
    readonly level: number | 'entries';
    readonly index: number;
    readonly width: number;
}
export declare function path({ level, index, width }: Tile): string;
export declare function parsePath(text: string): Tile | undefined;
export declare function widthIn(size: number, { level, index }: Pick<Tile, 'level' | 'index'>): number;
export declare function tilesOf(size: number): Generator<Tile>;
export declare function split(data: Bytes, width: number): Bytes[];
export declare class Nodes {
    #private;
    readonly hashes: Bytes[];
    constructor(hashes: Bytes[]);
    at(height: number, index: number): Bytes;
}
export declare function reader(tile: (level: number, index: number) => Nodes): ReadNode;
export declare function gather<T>(size: number, load: (tile: Tile) => Promise<Nodes>, work: (read: ReadNode) => T): Promise<T>;
export declare function bundle(entries: readonly Bytes[]): Bytes;
export declare function unbundle(data: Bytes, width: number): Bytes[];
export declare const tooLong: ({ length }: Bytes) => TallyError;

// core/Edge.d.ts
import { type Bytes } from './bytes.ts';
import * as Tile from './Tile.ts';
export interface Edge {
    size: number;
    readonly levels: Tile.Nodes[];
}
export interface WrittenTile {
    readonly level: number;
    readonly index: number;
    readonly data: Bytes;
}
export declare function edgeOf(size: number, tiles: readonly Bytes[]): Edge;
export declare const rootOf: ({ size, levels }: Edge) => Bytes;
export declare function grow(edge: Edge, leafHashes: readonly Bytes[]): readonly WrittenTile[];

// core/Note.d.ts
import { type Bytes } from './bytes.ts';
import { TallyError } from './errors.ts';
import { type Signer, type VerifyEd25519 } from './ed25519.ts';
export declare const ED25519 = 1;
export declare const COSIGNATURE = 4;
export interface VerifierKey {
    readonly name: string;
    readonly id: Bytes;
    readonly type: number;
    readonly publicKey: Bytes;
}
export interface Signature {
    readonly name: string;
    readonly id: Bytes;
    readonly bytes: Bytes;
}
export interface Note {
    readonly text: string;
    readonly signatures: readonly Signature[];
}
export declare const MOST_BYTES = 131072;
export declare const MOST_SIGNATURES = 64;
export declare function verifierKey(name: string, publicKey: Bytes, type?: number): VerifierKey;
export declare const formatKey: ({ name, id, type, publicKey }: VerifierKey) => string;
export declare function parseKey(text: string): VerifierKey;
export declare function parse(note: string | Bytes): Note;
export declare function parseSignatures(text: string): readonly Signature[];
export declare const signatureLine: ({ name, id, bytes }: Signature) => string;
export declare const format: ({ text, signatures }: Note) => string;
export declare function sign(text: string, name: string, signer: Signer): Note;
export declare const isBy: ({ name, id }: Signature, key: VerifierKey) => boolean;
export declare function isSignedBy({ text, signatures }: Note, key: VerifierKey, ed25519?: VerifyEd25519): boolean;
export declare const badSignature: ({ name, id }: VerifierKey) => TallyError;

// core/Checkpoint.d.ts
import { type Bytes } from './bytes.ts';
import { type Signer, type VerifyEd25519 } from './ed25519.ts';
import * as Note from './Note.ts';
export interface Checkpoint {
    readonly origin: string;
    readonly size: number;
    readonly root: Bytes;
}
export interface SignedCheckpoint extends Checkpoint {
    readonly note: Note.Note;
}
export declare function body({ origin, size, root }: Checkpoint): string;
export declare function sign(checkpoint: Checkpoint, signer: Signer): string;
export declare function parse(text: string | Bytes): SignedCheckpoint;
export declare function parseSize(text: string): number;
export declare function open(text: string | Bytes, key: Note.VerifierKey, options?: {
    readonly ed25519?: VerifyEd25519;
}): SignedCheckpoint;
export declare function cosign(text: string, options: {
    readonly name: string;
    readonly signer: Signer;
    readonly now: Date;
}): Note.Signature;
export declare function cosignedAt(note: Note.Note, witness: Note.VerifierKey, ed25519?: VerifyEd25519): Date | undefined;

// core/LogPolicy.d.ts
import { type Bytes } from './bytes.ts';
import * as Checkpoint from './Checkpoint.ts';
import type { VerifyEd25519 } from './ed25519.ts';
import * as Note from './Note.ts';
export interface Log {
    readonly key: Note.VerifierKey;
    readonly url: string | undefined;
}
export interface Witness extends Log {
    readonly name: string;
}
interface Group {
    readonly name: string;
    readonly needed: number;
    readonly members: readonly string[];
}
export interface LogPolicy {
    readonly logs: readonly Log[];
    readonly witnesses: readonly Witness[];
    readonly groups: readonly Group[];
    readonly quorum: string | undefined;
}
export declare function parse(text: string): LogPolicy;
export declare const logAlone: (key: Note.VerifierKey) => LogPolicy;
export interface Accepted {
    readonly checkpoint: Checkpoint.SignedCheckpoint;
    readonly witnessed: Date | undefined;
}
export declare function accept(text: string | Bytes, policy: LogPolicy, options?: {
    readonly ed25519?: VerifyEd25519;
}): Accepted;
export declare function cosignatures(note: Note.Note, policy: LogPolicy, ed25519?: VerifyEd25519): ReadonlyMap<string, Date>;
export declare function quorumTime({ quorum, groups }: LogPolicy, seen: ReadonlyMap<string, Date>): Date | undefined;
export {};

// core/AddCheckpoint.d.ts
import { type Bytes } from './bytes.ts';
export interface AddCheckpoint {
    readonly old: number;
    readonly proof: readonly Bytes[];
    readonly checkpoint: string;
}
export declare const MOST_HASHES = 63;
export declare const format: ({ old, proof, checkpoint }: AddCheckpoint) => string;
export declare function parse(text: string): AddCheckpoint;

// core/LogEvidence.d.ts
import { type Bytes } from './bytes.ts';
import type { VerifyEd25519 } from './ed25519.ts';
import * as LogPolicy from './LogPolicy.ts';
import type { VerifierKey } from './Note.ts';
type Options = {
    readonly ed25519?: VerifyEd25519;
};
export declare function isFork(one: string, other: string, key: VerifierKey, options?: Options): boolean;
export interface Missed {
    readonly leafHash: Bytes;
    readonly deadline: Date;
    readonly checkpoint: string;
    readonly leafHashes: readonly Bytes[];
}
export declare function isMissed({ leafHash, deadline, checkpoint: text, leafHashes }: Missed, policy: LogPolicy.LogPolicy, options?: Options): boolean;
export {};

// core/LogProof.d.ts
import { type Bytes } from './bytes.ts';
import * as Checkpoint from './Checkpoint.ts';
import type { VerifyEd25519 } from './ed25519.ts';
import * as LogPolicy from './LogPolicy.ts';
export interface LogProof {
    readonly extra?: Bytes;
    readonly index: number;
    readonly path: readonly Bytes[];
    readonly checkpoint: string;
}
export declare function format({ extra, index, path, checkpoint }: LogProof): string;
export declare function parse(text: string): LogProof;
export interface Proven {
    readonly index: number;
    readonly checkpoint: Checkpoint.SignedCheckpoint;
    readonly witnessed: Date | undefined;
}
export declare function verify(proof: string | LogProof, entry: Bytes, policy: LogPolicy.LogPolicy, options?: {
    readonly ed25519?: VerifyEd25519;
}): Proven;

// core/Proof.d.ts
import * as Anchor from './Anchor.ts';
import { type Bytes } from './bytes.ts';
import type { VerifyEd25519 } from './ed25519.ts';
import * as Invoice from './Invoice.ts';
import * as LogPolicy from './LogPolicy.ts';
import { type Facts, type Grade } from './proof/grades.ts';
import * as Receipt from './Receipt.ts';
import * as Terms from './Terms.ts';
export { decode, encode, type Bundle, type Shown } from './proof/Bundle.ts';
export { reasons, type Reason } from './proof/reasons.ts';
export { grades, type Facts, type Grade } from './proof/grades.ts';
export interface VerifyOptions {
    readonly policy?: LogPolicy.LogPolicy | undefined;
    readonly service?: Bytes | undefined;
    readonly node?: Bytes | undefined;
    readonly holders?: readonly Bytes[] | undefined;
    readonly headers?: readonly Bytes[] | undefined;
    readonly anchor?: Anchor.Anchor | undefined;
    readonly ed25519?: VerifyEd25519 | undefined;
}
export interface Verdict {
    readonly grade: Grade | undefined;
    readonly facts: Facts;
    readonly time: {
        readonly notBefore: Date | undefined;
        readonly notAfter: Date | undefined;
    };
    readonly claimed: {
        readonly receipt: Date;
        readonly invoice: Date | undefined;
        readonly block: {
            readonly height: number;
            readonly hash: string;
            readonly earliest: Date | undefined;
        } | undefined;
    };
    readonly notProven: readonly string[];
    readonly receipts: readonly Receipt.Payload[];
    readonly invoice: Invoice.Invoice | undefined;
    readonly terms: Terms.Terms | undefined;
    readonly serviceKey: string;
}
export declare function verify(text: string | Bytes, options?: VerifyOptions): Verdict;

// core/Anchor.d.ts
import { type Bytes } from './bytes.ts';
import * as Checkpoint from './Checkpoint.ts';
import * as Ots from './Ots.ts';
export interface Anchor {
    readonly checkpoint: string;
    readonly timestamp: Ots.Timestamp;
    readonly consistency: readonly Bytes[];
}
export declare function format({ checkpoint, timestamp, consistency }: Anchor): string;
export declare function parse(text: string): Anchor;
export declare function verify(anchor: Anchor, { from, headers }: {
    readonly from: Checkpoint.Checkpoint;
    readonly headers: readonly Bytes[];
}): Date | undefined;

// core/Ots.d.ts
import { type Bytes } from './bytes.ts';
export interface Timestamp {
    readonly message: Bytes;
    readonly attestations: readonly Attestation[];
    readonly branches: readonly Branch[];
}
export type Attestation = {
    readonly kind: 'pending';
    readonly uri: string;
} | {
    readonly kind: 'bitcoin';
    readonly height: number;
} | {
    readonly kind: 'unknown';
    readonly tag: Bytes;
    readonly payload: Bytes;
};
export interface Branch {
    readonly op: Op;
    readonly next: Timestamp;
}
export type Op = {
    readonly kind: 'append' | 'prepend';
    readonly bytes: Bytes;
} | {
    readonly kind: 'sha256';
};
export declare function decode(file: Bytes): Timestamp;
export declare function encode(timestamp: Timestamp): Bytes;
export declare function decodeFor(message: Bytes, body: Bytes): Timestamp;
export declare const encodeBody: (timestamp: Timestamp) => Bytes;
export declare function branch(message: Bytes, op: Op, next: (message: Bytes) => Timestamp): Timestamp;
export declare function attestations(timestamp: Timestamp): readonly {
    readonly message: Bytes;
    readonly attestation: Attestation;
}[];
export declare function merge(timestamp: Timestamp, more: Timestamp): Timestamp;
export declare function inBlock(timestamp: Timestamp, { height, merkleRoot }: {
    height: number;
    merkleRoot: Bytes;
}): boolean;

// core/proof/grades.d.ts
import type { Source } from '../receipt/kinds.ts';
export interface Facts {
    readonly invoice: boolean;
    readonly preimage: boolean;
    readonly settled: boolean;
    readonly source: Source | undefined;
    readonly terms: boolean;
    readonly keyInTerms: boolean;
    readonly logged: boolean;
    readonly holder: boolean;
    readonly witnessed: boolean;
    readonly anchored: boolean;
    readonly bounded: boolean;
    readonly delivered: boolean;
    readonly acknowledged: boolean;
    readonly policy: boolean;
    readonly quorum: boolean;
}
export declare const grades: {
    readonly G0: 'an invoice, and that it was paid by the word of its payee or by its preimage';
    readonly G1: 'and the terms that the payee’s node signed';
    readonly G2: 'and the service’s signature, in a log that cannot drop it unseen by whoever follows the log';
    readonly G3: 'and the signature of the holder';
    readonly G4: 'and a time between two others, by a block before it and by witnesses or a block after it';
    readonly G5: 'and the holder’s word that it got what was delivered';
};
export type Grade = keyof typeof grades;
export declare function gradeOf(facts: Facts): Grade | undefined;
export declare function notProven(facts: Facts): readonly string[];

// core/proof/Bundle.d.ts
import { type Bytes } from '../bytes.ts';
import * as Receipt from '../Receipt.ts';
export interface Shown {
    readonly receipt: Receipt.Envelope;
    readonly salt?: Bytes | undefined;
    readonly proof?: string | undefined;
}
export interface Bundle {
    readonly receipts: readonly Shown[];
    readonly bolt11?: string | undefined;
    readonly terms?: string | undefined;
    readonly preimage?: Bytes | undefined;
}
export declare function encode(bundle: Bundle): string;
export interface Read {
    readonly bundle: Bundle;
    readonly damaged: boolean;
}
export declare function read(text: string | Bytes): Read;
export declare function decode(text: string | Bytes): Bundle;

// core/proof/reasons.d.ts
import { TallyError } from '../errors.ts';
export declare const reasons: {
    readonly malformed: 'it cannot be read';
    readonly receipt: 'a receipt in it cannot be read';
    readonly signature: 'a signature is not that of the key it names';
    readonly service: 'the receipt is of another service than expected';
    readonly chain: 'its receipts do not belong together';
    readonly invoice: 'the invoice is not the one that the receipt is for, or its node did not sign it';
    readonly node: 'the invoice is of another node than expected';
    readonly terms: 'the terms are not those that the invoice commits to';
    readonly preimage: 'the preimage is not that of the invoice';
    readonly log_malformed: 'the proof of the log cannot be read';
    readonly log_origin: 'the proof is of a log that the policy does not know';
    readonly log_signature: 'the checkpoint is not signed by the log';
    readonly unwitnessed: 'too few witnesses of the policy signed the checkpoint';
    readonly inclusion: 'the receipt, as it is here, is not in the log';
    readonly anchor: 'the anchor is not of this log, or its timestamp is not of its checkpoint';
    readonly ack: 'what was acknowledged is not what was delivered';
    readonly time: 'it would have been logged before it can have been made';
    readonly damaged: 'a part that nobody signs was changed';
};
export type Reason = keyof typeof reasons;
export declare function failed(reason: Reason, detail: string, cause?: unknown): TallyError<'PROOF_INVALID'>;
