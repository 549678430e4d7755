// core/index.d.ts
export { TallyError, errors, type ErrorCode, type ErrorDetails, type ProblemDetails } from './errors.ts';
export * as Bytes from './bytes.ts';
export * as Amount from './Amount.ts';
export { msats, sats, type AmountLike, type Msat } from './Amount.ts';
export { Key } from './Key.ts';
export { hmacSha256, sha256 } from './hmac.ts';
export * as Macaroon from './Macaroon.ts';
export * as Identifier from './Identifier.ts';
export * as Path from './Path.ts';
export * as PathPattern from './PathPattern.ts';
export * as Caveat from './Caveat.ts';
export * as Capability from './Capability.ts';
export type { Charge, Grant } from './Grant.ts';
export * as Invoice from './Invoice.ts';
export * as Challenge from './Challenge.ts';
export * as Credential from './Credential.ts';
export * as Terms from './Terms.ts';

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
    readonly CAPABILITY_LIMIT: {
        readonly status: 403;
        readonly fix: 'Use fewer or shorter caveats: a token is at most 4 KiB, 64 caveats, 8 links and 8 meters.';
    };
    readonly CAPABILITY_UNPROFILED: {
        readonly status: 403;
        readonly fix: 'This token does not promise to enforce our caveats. Narrow it with `services` or `<service>_valid_until` only.';
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
    readonly STORE_INCOMPATIBLE: {
        readonly status: 500;
        readonly fix: 'Name another file, or update Tallystick if a newer version wrote this one.';
    };
    readonly STORE_UNAVAILABLE: {
        readonly status: 503;
        readonly fix: 'The database cannot be written (full, locked or read-only). Nothing metered is served until it can.';
    };
    readonly UPSTREAM_UNREACHABLE: {
        readonly status: 502;
        readonly fix: 'Check that the upstream in tally.yaml runs and listens where the config says.';
    };
    readonly UPSTREAM_INVALID: {
        readonly status: 502;
        readonly fix: 'The upstream sent a response that is not valid HTTP/1.1; nothing was charged.';
    };
    readonly UPSTREAM_TIMEOUT: {
        readonly status: 504;
        readonly fix: 'The upstream did not answer in time; nothing was charged.';
    };
    readonly CONFIG_INVALID: {
        readonly status: 500;
        readonly fix: 'Correct the line named in the message; `tally config check` lists every mistake at once.';
    };
    readonly WALLET_UNKNOWN: {
        readonly status: 503;
        readonly fix: 'Start one with `tally up`, or name its socket with --wallet or TALLY_WALLET.';
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
import type { Bytes } from './bytes.ts';
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
export declare const MAX_BYTES = 4096;
export declare const MAX_CAVEATS = 64;
export declare const MAX_CAVEAT_BYTES = 1024;
export declare function mint(rootKey: Bytes, identifier: Bytes, location: string): Macaroon;
export declare function append(macaroon: Macaroon, caveat: string | Bytes): Macaroon;
export declare function verify(rootKey: Bytes, macaroon: Macaroon): readonly Bytes[];
export declare function encode(macaroon: Macaroon): Bytes;
export declare const toBase64: (macaroon: Macaroon) => string;
export declare function fromBase64(text: string): Macaroon;
export declare function decode(bytes: Bytes): Macaroon;

// core/Identifier.d.ts
import type { Bytes } from './bytes.ts';
export interface Identifier {
    readonly paymentHash: Bytes;
    readonly tokenId: Bytes;
}
export declare const LENGTH = 66;
export declare function encode({ paymentHash, tokenId }: Identifier): Bytes;
export declare function decode(bytes: Bytes): Identifier;

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
export interface Caveat {
    readonly text: string;
    readonly key: string;
    readonly subject: string;
    readonly room: Room<unknown>;
    readonly value: unknown;
}
export type CaveatLike = Caveat | string;
export declare const from: (caveat: CaveatLike) => Caveat;
export declare const format: (caveat: Caveat) => string;
export declare function parse(text: string): Caveat;
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
export declare const uses: (count: number) => Caveat;
export declare const budget: (amount: AmountLike) => Caveat;
export declare const preimage: (bytes: Bytes) => Caveat;
export declare const link: (name: string, salt?: string) => Caveat;

// core/caveats/Room.d.ts
import type { Msat } from '../Amount.ts';
import { TallyError } from '../errors.ts';
export interface Action {
    readonly service: string;
    readonly verb: string;
    readonly path: string;
    readonly cost: Msat;
    readonly now: Date;
}
export interface Room<V> {
    readonly dimension: string;
    readonly secret?: true;
    until?(value: V): number;
    readonly meter?: {
        readonly kind: 'uses' | 'budget';
        cost(action: Action): bigint;
        limit(value: V): bigint;
    };
    parse(text: string, subject: string): V;
    format(value: V): string;
    refusal(value: V, action: Action): string | undefined;
    witness(a: V, b: V): string | undefined;
    meet(a: V, b: V): V | undefined;
}
export declare const malformed: (expected: string) => TallyError;
export declare function parseInt(text: string, what: string): number;
export declare const isLabel: (text: string) => boolean;
export declare function parseList<T>(text: string, what: string, parseItem: (item: string) => T): readonly T[];
export declare const hasTwice: (items: readonly string[]) => boolean;
export declare function setMeet(a: readonly string[], b: readonly string[]): readonly string[] | undefined;

// core/Capability.d.ts
import { type Bytes } from './bytes.ts';
import type { CaveatLike } from './Caveat.ts';
import type { Action } from './caveats/Room.ts';
import type { Grant } from './Grant.ts';
import type { Key } from './Key.ts';
import { type Lineage, type Placed } from './Lineage.ts';
import * as Macaroon from './Macaroon.ts';
export type { Action } from './caveats/Room.ts';
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
    readonly ends: Lineage['ends'];
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
}): Macaroon.Macaroon;
export declare function attenuate(macaroon: Macaroon.Macaroon, caveats: readonly CaveatLike[]): Macaroon.Macaroon;
export declare function authenticate(macaroon: Macaroon.Macaroon, options: {
    readonly key: Key;
    readonly preimage?: Bytes | undefined;
}): Authentic;
export declare function authorize(authentic: Authentic, action: Action): Grant;
export declare function verify(macaroon: Macaroon.Macaroon, options: {
    readonly key: Key;
    readonly preimage?: Bytes | undefined;
    readonly request: Omit<Action, 'now'>;
    readonly now: Date;
}): Grant;

// core/Grant.d.ts
import type { Msat } from './Amount.ts';
import type { Bytes } from './bytes.ts';
export interface Charge {
    readonly meter: string;
    readonly kind: 'uses' | 'budget';
    readonly cost: bigint;
    readonly limit: bigint;
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
    readonly caveats: readonly string[];
    readonly expires: Date | undefined;
    readonly cost: Msat;
    readonly charges: readonly Charge[];
}
export {};

// core/Lineage.d.ts
import type { Caveat } from './Caveat.ts';
import { TallyError, type ErrorCode } from './errors.ts';
export declare const MAX_LINKS = 8;
export declare const MAX_METERS = 8;
export interface Placed {
    readonly caveat: Caveat;
    readonly link: string | undefined;
    readonly end: number;
}
export interface Lineage {
    readonly placed: readonly Placed[];
    readonly links: readonly string[];
    readonly end: number;
    readonly ends: ReadonlyMap<string, number>;
}
export declare function trace(caveats: readonly Caveat[]): Lineage;
export declare function checkNotEmpty({ placed, end }: Lineage): void;
export declare function refusal(code: ErrorCode, { caveat, link }: Omit<Placed, 'end'>, why: string): TallyError;

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
}
export declare function encode(terms: Terms): string;
export declare function decode(text: string): Terms;
export declare const hash: (text: string) => Bytes;
export declare function check(text: string, invoice: Invoice, options?: {
    tokenId?: Bytes | undefined;
}): Terms;
