// client/index.d.ts
export { payingFetch } from './fetch.ts';
export { paymentOf, type PaymentInfo } from './present.ts';
export { delegate, delegatedFetch, type DelegatedFetchOptions, type DelegateOptions } from './delegate.ts';
export { inspectOffer, type Inspection } from './inspect.ts';
export type { PayingFetchOptions } from './client.ts';
export type { Budget } from './budget.ts';
export type { PayBody } from './body.ts';
export type { PayEvent } from './events.ts';
export type { Quote } from './policy.ts';
export type { Fetch, PayingFetch, PayInit } from './request.ts';
export { proofOf, receiptOf, renewProof, type HeldReceipt } from './receipts.ts';

// client/fetch.d.ts
import type { PayingFetchOptions } from './client.ts';
import { type PayingFetch } from './request.ts';
export declare function payingFetch(options: PayingFetchOptions): PayingFetch;

// client/client.d.ts
import type { AmountLike } from '../core/Amount.ts';
import type { Payer } from '../lightning/Lightning.ts';
import type { Jar } from '../storage/Jar.ts';
import type { Budget, Caps } from './budget.ts';
import type { PayEvent } from './events.ts';
import type { Lanes } from './lanes.ts';
import type { Quote } from './policy.ts';
import type { Purse } from './purse.ts';
import type { Fetch } from './request.ts';
import type { Till } from './till.ts';
import type { Times } from './times.ts';
export interface PayingFetchOptions {
    readonly wallet: Payer;
    readonly jar: Jar;
    readonly budget?: Budget;
    readonly maxFee?: AmountLike;
    readonly approve?: (quote: Quote) => boolean | Promise<boolean>;
    readonly fetch?: Fetch;
    readonly clock?: () => Date;
    readonly sleep?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
    readonly onEvent?: (event: PayEvent) => void;
}
export interface Client {
    readonly wallet: Payer;
    readonly purse: Purse;
    readonly till: Till;
    readonly lanes: Lanes;
    readonly caps: Caps;
    readonly maxFee: AmountLike | undefined;
    readonly approve: (quote: Quote) => boolean | Promise<boolean>;
    readonly fetch: Fetch;
    readonly clock: () => Date;
    readonly times: Times;
    readonly sleep: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
    readonly delays: readonly number[];
    readonly emit: (event: PayEvent) => void;
}

// client/budget.d.ts
import { type AmountLike, type Msat } from '../core/Amount.ts';
import type { Cap } from '../storage/Jar.ts';
export interface Budget {
    readonly perRequest?: AmountLike;
    readonly total?: AmountLike;
    readonly perOrigin?: AmountLike;
    readonly every?: 'hour' | 'day' | 'week';
}
export interface Caps {
    readonly perRequest: Msat;
    at(origin: string, now: Date): readonly Cap[];
}
export declare function readBudget(budget?: Budget): Caps;
export declare function feeLimit(amount: Msat, maxFee: AmountLike | undefined): Msat;

// client/events.d.ts
import type { Msat } from '../core/Amount.ts';
import type { Bytes } from '../core/bytes.ts';
import type { TallyError } from '../core/errors.ts';
import type { Quote } from './policy.ts';
export type PayEvent = {
    readonly type: 'sending';
    readonly method: string;
    readonly url: string;
    readonly paymentHash: Bytes | undefined;
} | {
    readonly type: 'answered';
    readonly status: number;
    readonly url: string;
} | {
    readonly type: 'redirected';
    readonly from: string;
    readonly to: string;
} | {
    readonly type: 'challenge';
    readonly quote: Quote;
} | {
    readonly type: 'reserved';
    readonly paymentHash: Bytes;
    readonly amount: Msat;
    readonly maxFee: Msat;
} | {
    readonly type: 'paying';
    readonly paymentHash: Bytes;
    readonly amount: Msat;
    readonly maxFee: Msat;
} | {
    readonly type: 'paid';
    readonly paymentHash: Bytes;
    readonly amount: Msat;
    readonly fee: Msat;
} | {
    readonly type: 'kept';
    readonly paymentHash: Bytes;
} | {
    readonly type: 'failed';
    readonly paymentHash: Bytes;
    readonly reason: string;
} | {
    readonly type: 'resumed';
    readonly paymentHash: Bytes;
    readonly state: 'paid' | 'pending' | 'failed' | 'unsent';
} | {
    readonly type: 'reused';
    readonly paymentHash: Bytes;
} | {
    readonly type: 'retrying';
    readonly paymentHash: Bytes;
    readonly attempt: number;
    readonly delay: number;
} | {
    readonly type: 'served';
    readonly paymentHash: Bytes;
    readonly status: number;
} | {
    readonly type: 'retired';
    readonly paymentHash: Bytes;
} | {
    readonly type: 'unrecorded';
    readonly paymentHash: Bytes;
    readonly error: TallyError;
};

// client/policy.d.ts
import { type Msat } from '../core/Amount.ts';
import { type Bytes } from '../core/bytes.ts';
import * as Challenge from '../core/Challenge.ts';
import * as Terms from '../core/Terms.ts';
import type { Route } from './request.ts';
export interface Quote extends Route {
    readonly amount: Msat;
    readonly bolt11: string;
    readonly paymentHash: Bytes;
    readonly payee: Bytes;
    readonly expires: Date;
    readonly description: string | undefined;
    readonly terms: Terms.Terms | undefined;
    readonly caveats: readonly string[];
}
export interface Offered {
    readonly challenge: Challenge.Challenge;
    readonly problem: Readonly<Record<string, unknown>>;
}
export declare function readOffered(response: Response): Promise<Offered | undefined>;
export declare function discard(response: Response): Promise<void>;
export declare function reasonOf({ problem }: Offered): {
    readonly code: string;
    readonly left: boolean;
} | undefined;
export interface Wish {
    readonly network: string | undefined;
    readonly now: Date;
}
export declare const MARGIN = 10000;
export declare function judge({ challenge, problem }: Offered, route: Route, wish: Wish): Quote;
export declare function checkTimeLeft(expires: Date, now: Date): void;
export declare function checkPrice({ amount, origin }: Quote, perRequest: Msat): void;

// client/request.d.ts
import { type Body, type PayBody } from './body.ts';
export interface PayInit extends Omit<RequestInit, 'body'> {
    readonly body?: PayBody;
}
export type PayingFetch = (input: string | URL | Request, init?: PayInit) => Promise<Response>;
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;
export interface Outgoing {
    readonly url: URL;
    readonly method: string;
    readonly headers: Headers;
    readonly body: Body;
    readonly redirect: RequestRedirect;
    readonly signal: AbortSignal | undefined;
    readonly rest: RequestInit;
}
export declare function readRequest(input: string | URL | Request, init?: PayInit): Promise<Outgoing>;
export declare function send(fetch: Fetch, request: Outgoing, presented?: Readonly<Record<string, string>>): Promise<Response>;
export interface Route {
    readonly origin: string;
    readonly method: string;
    readonly path: string;
}
export declare function routeOf({ url, method }: Outgoing): Route;

// client/body.d.ts
import type { Bytes } from '../core/bytes.ts';
export type PayBody = BodyInit | null | (() => BodyInit);
export interface Body {
    readonly replayable: boolean;
    readonly next: () => BodyInit | undefined;
    readonly digest: () => Promise<Bytes | undefined>;
    readonly contentType?: string;
}
export declare const NO_BODY: Body;
export declare function readBody(body: PayBody | undefined): Promise<Body>;
export declare function readRequestBody(request: Request): Promise<Body>;
export declare function notReplayable(): TypeError;

// client/lanes.d.ts
export interface Lanes {
    enter(name: string, signal: AbortSignal | undefined): Promise<() => void>;
}
export declare function createLanes(): Lanes;

// client/purse.d.ts
import type { Jar, Kept, Purchase } from '../storage/Jar.ts';
import type { PayEvent } from './events.ts';
import type { Route } from './request.ts';
import { type Token } from './token.ts';
export interface Held {
    readonly kept: Kept;
    readonly hash: string;
    readonly token: Token;
    readonly uses: number | undefined;
    readonly shareable: boolean;
}
export interface Purse {
    take(route: Route, tried: ReadonlySet<string>, signal: AbortSignal | undefined): Promise<Held | undefined>;
    claim(purchase: Purchase, buy: () => Promise<Kept | undefined>): Promise<Held | undefined>;
    served(held: Held, status: number): Promise<boolean>;
    putBack(held: Held): void;
    confirmed(held: Held): Promise<boolean | undefined>;
    retire(held: Held): Promise<void>;
}
export declare function createPurse(options: {
    jar: Jar;
    clock: () => Date;
    emit: (event: PayEvent) => void;
}): Purse;

// client/token.d.ts
import * as Credential from '../core/Credential.ts';
import type { HolderKey } from '../core/HolderKey.ts';
import * as Macaroon from '../core/Macaroon.ts';
import type { Outgoing } from './request.ts';
export interface Token {
    readonly credential: Credential.Credential;
    readonly sealable: Macaroon.Macaroon | undefined;
    readonly discharges: readonly Macaroon.Macaroon[];
    readonly holder: HolderKey | undefined;
}
export declare function readToken(credential: Credential.Credential, options?: {
    readonly discharges?: readonly Macaroon.Macaroon[] | undefined;
    readonly holder?: HolderKey | undefined;
}): Token;
export declare function presentation(token: Token, request: Outgoing, now: Date): Promise<Readonly<Record<string, string>>>;

// client/till.d.ts
import { type Bytes } from '../core/bytes.ts';
import type { Payer } from '../lightning/Lightning.ts';
import type { Cap, Jar, Kept, Purchase } from '../storage/Jar.ts';
import type { PayEvent } from './events.ts';
import type { Route } from './request.ts';
export type Bought = {
    readonly state: 'paid';
    readonly kept: Kept;
} | {
    readonly state: 'failed';
    readonly reason: string;
};
export interface Till {
    buy(purchase: Purchase, caps: readonly Cap[], signal: AbortSignal | undefined): Promise<Bought>;
    resume(route: Route, signal: AbortSignal | undefined): Promise<boolean>;
    standing(paymentHash: Bytes, origin: string, signal: AbortSignal | undefined): Promise<'new' | 'taken' | 'resumed'>;
}
export interface TillOptions {
    readonly wallet: Payer;
    readonly jar: Jar;
    readonly clock: () => Date;
    readonly emit: (event: PayEvent) => void;
    readonly delays: readonly number[];
    readonly sleep: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
}
export declare function createTill(options: TillOptions): Till;

// client/times.d.ts
import type { Outgoing } from './request.ts';
export interface Times {
    readonly now: (origin: string) => Date;
    readonly learn: (origin: string, date: string | null) => boolean;
}
export declare function createTimes(clock: () => Date): Times;
export declare function inTime(times: Times, { url, body }: Outgoing, send: () => Promise<Response>): Promise<Response>;

// client/present.d.ts
import { type Msat } from '../core/Amount.ts';
import { type Bytes } from '../core/bytes.ts';
import type { Client } from './client.ts';
import { type Offered } from './policy.ts';
import type { Held } from './purse.ts';
import { type Outgoing } from './request.ts';
export interface Answer {
    readonly response: Response;
    readonly offered: Offered | undefined;
}
export interface PaymentInfo {
    readonly amount: Msat;
    readonly fee: Msat;
    readonly paymentHash: Bytes;
    readonly reused: boolean;
}
export declare const paymentOf: (response: Response) => PaymentInfo | undefined;
export declare function ask(client: Pick<Client, 'fetch' | 'emit' | 'times'>, request: Outgoing, held: Held | undefined): Promise<Answer>;
export type Presented = {
    readonly kind: 'served';
    readonly response: Response;
} | {
    readonly kind: 'refused';
    readonly answer: Answer | undefined;
};
export declare function present(client: Client, request: Outgoing, held: Held, bought: boolean): Promise<Presented>;

// client/delegate.d.ts
import type { Bytes } from '../core/bytes.ts';
import type { CaveatLike } from '../core/Caveat.ts';
import { type HolderKey } from '../core/HolderKey.ts';
import * as Macaroon from '../core/Macaroon.ts';
import { type Fetch, type PayingFetch } from './request.ts';
export interface DelegateOptions {
    readonly to: string;
    readonly caveats: readonly CaveatLike[];
    readonly key?: Bytes;
    readonly holder?: HolderKey;
}
export declare function delegate({ macaroon, preimage }: {
    readonly macaroon: string;
    readonly preimage?: Bytes | undefined;
}, options: DelegateOptions): string;
export interface DelegatedFetchOptions {
    readonly origin: string;
    readonly credential: string;
    readonly discharges?: readonly Macaroon.Macaroon[];
    readonly holder?: HolderKey;
    readonly fetch?: Fetch;
    readonly clock?: () => Date;
}
export declare function delegatedFetch(options: DelegatedFetchOptions): PayingFetch;

// client/inspect.d.ts
import { type Quote } from './policy.ts';
import { type Fetch, type PayInit } from './request.ts';
export interface Inspection {
    readonly quote: Quote | undefined;
    readonly response: Response;
}
export declare function inspectOffer(fetch: Fetch, input: string | URL | Request, init?: PayInit, options?: {
    network?: string;
    clock?: () => Date;
}): Promise<Inspection>;

// client/receipts.d.ts
import { type Bytes } from '../core/bytes.ts';
import * as Receipt from '../core/Receipt.ts';
import type { Jar } from '../storage/Jar.ts';
import { type Fetch } from './request.ts';
import { type Token } from './token.ts';
import { type Times } from './times.ts';
export interface HeldReceipt {
    readonly id: string;
    readonly origin: string;
    readonly carried: Receipt.Carried | undefined;
}
interface Source {
    readonly fetch: Fetch;
    readonly token: Token;
    readonly times: Times;
    readonly origin: string;
}
export declare function rememberSource(response: Response, source: Source): void;
export declare function receiptOf(response: Response): HeldReceipt | undefined;
export declare function proofOf(receipt: HeldReceipt): Promise<string>;
export declare function renewProof(proof: string | Bytes, { jar, fetch, clock, }: {
    readonly jar: Pick<Jar, 'get'>;
    readonly fetch?: Fetch;
    readonly clock?: () => Date;
}): Promise<string>;
export {};
