// server/index.d.ts
export type { Answer, Call } from './Call.ts';
export { createGate, type Admission, type Gate, type GateOptions } from './gate.ts';
export { invoiceAmount, mintedCaveats, offerFor, type Mode, type Offer, type PriceOptions } from './Offer.ts';
export type { Free } from './freebies.ts';
export type { Settled } from './metered.ts';
export { createPacer, tooOften, type Paced, type Pacer, type Rate } from './pace.ts';
export type { Asked } from './prices.ts';
export type { InvoiceLimits } from './quote.ts';
export { wouldText, type Would } from './shadow.ts';
export { customerOf } from './customer.ts';
export { problemAnswer } from './answer.ts';
export { protect, type ProtectOptions } from './protect.ts';
export { followSettlements, type FollowOptions } from './settle.ts';
export { RESERVE_PATH, REVOKE_PATH, type Desk } from './desk.ts';
export type { RestrictOptions, RevokeOptions } from './rulings.ts';
export { openLog, type LogOptions, type ReceiptLog, type Resource } from './log.ts';
export { createCosigning, type Cosigning, type CosigningOptions } from './cosigning.ts';
export { createWitness, monitoringPath, type Witness, type WitnessOptions } from './witness.ts';
export { attachReceipt, type AttachOptions, type WatchedResponse } from './attach.ts';
export type { IssuerOptions } from './issuer.ts';
export type { Alarm } from './reconcile.ts';
export type { Delivered, Source } from './receipts.ts';
export { bundleOf, RECEIPTS_PATH, type Archive } from './receiptDesk.ts';
export { checkLog, type CheckedLog, type CheckLogOptions, type LogSource } from './log/check.ts';
export { resourceOf as logResource } from './log/resources.ts';
export { createAnchor, type Anchor, type Anchored, type AnchorOptions, type AnchorStore } from './anchor.ts';

// server/Call.d.ts
import type { Body } from '../core/Body.ts';
export interface Call {
    readonly method: string;
    readonly target: string;
    readonly header: (name: string) => readonly string[];
    readonly client: string;
    readonly authority?: string | undefined;
    readonly body?: (() => Promise<Body>) | undefined;
    readonly mints?: false;
}
export interface Answer {
    readonly status: number;
    readonly headers: readonly (readonly [name: string, value: string])[];
    readonly body: string;
}

// server/gate.d.ts
import type { Msat } from '../core/Amount.ts';
import type { Bytes } from '../core/bytes.ts';
import * as Capability from '../core/Capability.ts';
import { TallyError } from '../core/errors.ts';
import type { Grant } from '../core/Grant.ts';
import type { Key } from '../core/Key.ts';
import type { Receiver, Settlement } from '../lightning/Lightning.ts';
import type { Ruling, Store } from '../storage/Store.ts';
import type { Answer, Call } from './Call.ts';
import { type Desk } from './desk.ts';
import type { IssuerOptions } from './issuer.ts';
import { type Settled } from './metered.ts';
import { type Offer } from './Offer.ts';
import { type InvoiceLimits } from './quote.ts';
import { type Delivered } from './receipts.ts';
import { type Alarm } from './reconcile.ts';
import { type RestrictOptions, type RevokeOptions } from './rulings.ts';
import { type Would } from './shadow.ts';
export type Admission = {
    readonly kind: 'challenge';
    readonly answer: Answer;
    readonly error?: TallyError | undefined;
} | {
    readonly kind: 'refused';
    readonly answer: Answer;
    readonly error: TallyError;
} | {
    readonly kind: 'granted';
    readonly grant: Grant;
    readonly release: () => Promise<void>;
    readonly standing?: (() => TallyError | undefined) | undefined;
    readonly body?: Bytes | undefined;
    readonly settle?: ((cost: Msat) => Promise<Settled>) | undefined;
    readonly headers?: Answer['headers'];
    readonly delivered?: (result: Delivered) => void;
} | {
    readonly kind: 'free';
    readonly would?: Would;
    readonly headers: readonly (readonly [name: string, value: string])[];
    readonly release: () => Promise<void>;
} | {
    readonly kind: 'answered';
    readonly answer: Answer;
};
export interface Gate extends AsyncDisposable {
    readonly service: string;
    readonly admit: (call: Call, offer: Offer) => Promise<Admission>;
    readonly revoke: (options: RevokeOptions) => Promise<Ruling>;
    readonly restrict: (options: RestrictOptions) => Promise<readonly Ruling[]>;
    readonly desk: Desk;
    readonly flush: () => Promise<void>;
}
export interface GateOptions {
    readonly key: Key;
    readonly store: Store;
    readonly lightning: Receiver;
    readonly service?: string;
    readonly location?: string;
    readonly invoiceLifetime?: number;
    readonly invoices?: InvoiceLimits;
    readonly authorities?: readonly string[];
    readonly verifier?: string;
    readonly ed25519?: Capability.VerifyEd25519;
    readonly receipts?: Pick<IssuerOptions, 'signer' | 'log'>;
    readonly onAlarm?: (alarm: Alarm) => void;
    readonly clock?: () => Date;
    readonly onSettled?: (settlement: Settlement) => void;
    readonly onTrouble?: (error: TallyError) => void;
}
export declare function createGate(options: GateOptions): Gate;

// server/desk.d.ts
import type { Key } from '../core/Key.ts';
import type { Store } from '../storage/Store.ts';
import type { Answer, Call } from './Call.ts';
import type { Holder } from './holder.ts';
import { type Rulings } from './rulings.ts';
export declare const REVOKE_PATH = "/.well-known/tally/revoke";
export declare const RESERVE_PATH = "/.well-known/tally/reserve";
export interface DeskOptions {
    readonly key: Key;
    readonly store: Pick<Store, 'against' | 'reserve'>;
    readonly clock: () => Date;
    readonly rulings: Rulings;
    readonly identify: (call: Call) => Promise<Holder | undefined>;
}
export type Desk = (call: Call) => Promise<Answer | undefined>;
export declare function createDesk(options: DeskOptions): Desk;

// server/holder.d.ts
import type { Authentic, Evidence } from '../core/Capability.ts';
import * as Macaroon from '../core/Macaroon.ts';
import type { Store } from '../storage/Store.ts';
import type { Call } from './Call.ts';
import type { Rulings } from './rulings.ts';
export interface Holder {
    readonly authentic: Authentic;
    readonly macaroon: Macaroon.Macaroon;
}
export declare function holderOf({ authentic, text }: {
    readonly authentic: Authentic;
    readonly text: string;
}, options: {
    readonly call: Call;
    readonly evidence: Evidence;
    readonly rulings: Rulings;
    readonly store: Pick<Store, 'spend'>;
    readonly now: Date;
}): Promise<Holder>;
export declare const sealed: ({ name, value, }: NonNullable<Authentic['demands']['req']>) => {
    readonly key: string;
    readonly seal: {
        readonly until: Date;
    };
};

// server/rulings.d.ts
import * as Capability from '../core/Capability.ts';
import * as Caveat from '../core/Caveat.ts';
import type { Key } from '../core/Key.ts';
import type { Ruling, Store } from '../storage/Store.ts';
export interface RevokeOptions {
    readonly token: string;
    readonly link?: string;
}
export interface RestrictOptions extends RevokeOptions {
    readonly caveats: readonly Caveat.CaveatLike[];
}
export interface Rulings {
    readonly standing: (authentic: Capability.Authentic) => Capability.Authentic;
    readonly revoke: (options: RevokeOptions) => Promise<Ruling>;
    readonly restrict: (options: RestrictOptions) => Promise<readonly Ruling[]>;
    readonly rule: (hand: Subject, caveat?: string) => Promise<Ruling>;
}
type Subject = Pick<Ruling, 'tag' | 'tokenId' | 'link' | 'until'>;
export declare function createRulings(options: {
    readonly key: Key;
    readonly store: Pick<Store, 'against' | 'rule'>;
    readonly clock: () => Date;
}): Rulings;
export declare function subjectAt(tokenId: Uint8Array, { tag, link, ends }: Capability.Hand): Subject;
export declare function handNamed(hands: readonly Capability.Hand[], name: string): Capability.Hand;
export {};

// server/issuer.d.ts
import type { Document } from '../core/canonical.ts';
import { TallyError } from '../core/errors.ts';
import * as Receipt from '../core/Receipt.ts';
import type { Entry } from '../storage/Book.ts';
import type { ReceiptLog } from './log.ts';
export interface IssuerOptions {
    readonly signer: Receipt.Signer;
    readonly log: Pick<ReceiptLog, 'key' | 'appendAll' | 'book' | 'prove' | 'checkpoint'>;
    readonly clock: () => Date;
    readonly onTrouble?: ((error: TallyError) => void) | undefined;
}
export interface Subject {
    readonly deal: string;
    readonly prev?: string | undefined;
    readonly service: string;
    readonly hands: Entry['hands'];
}
export interface Issued extends Receipt.Carried {
    readonly id: string;
    readonly digest: string;
}
export interface Issuer {
    readonly issue: (kind: Receipt.KindName, fields: Document, subject: Subject) => Promise<Issued>;
    readonly note: (kind: Receipt.KindName, fields: Document, subject: Subject) => void;
    readonly trouble: () => TallyError | undefined;
    readonly flushed: () => Promise<void>;
}
export declare function createIssuer({ signer, log, clock, onTrouble }: IssuerOptions): Issuer;

// server/log.d.ts
import { type Bytes } from '../core/bytes.ts';
import type { Signer, VerifyEd25519 } from '../core/ed25519.ts';
import { TallyError } from '../core/errors.ts';
import * as LogProof from '../core/LogProof.ts';
import * as Note from '../core/Note.ts';
import type { Book, Entry } from '../storage/Book.ts';
import type { LogGuard, LogStore } from '../storage/LogStore.ts';
import { type Resource } from './log/resources.ts';
export type { Resource } from './log/resources.ts';
export interface LogOptions {
    readonly store: LogStore;
    readonly guard: LogGuard;
    readonly origin: string;
    readonly signer: Signer;
    readonly ed25519?: VerifyEd25519;
}
export interface ReceiptLog extends AsyncDisposable {
    readonly key: Note.VerifierKey;
    append(entry: Bytes): Promise<{
        readonly index: number;
    }>;
    appendAll(entries: readonly Bytes[], kept?: (index: number) => readonly Entry[]): Promise<{
        readonly index: number;
    }>;
    readonly book: Book;
    readonly checkpoint: string;
    readonly size: number;
    prove(index: number): Promise<LogProof.LogProof>;
    consistency(from: number, to: number): Promise<readonly Bytes[]>;
    rootAt(size: number): Promise<Bytes>;
    resource(path: string): Promise<Resource | undefined>;
    published(): Promise<string>;
    publish(checkpoint: string): Promise<void>;
    stop(reason: TallyError): void;
    sync(): Promise<void>;
}
export declare function openLog({ store, guard, origin, signer, ed25519 }: LogOptions): Promise<ReceiptLog>;

// server/log/resources.d.ts
import { type Bytes } from '../../core/bytes.ts';
import * as Tile from '../../core/Tile.ts';
import type { LogStore } from '../../storage/LogStore.ts';
export interface Resource {
    readonly body: Bytes;
    readonly type: string;
    readonly cache: string;
}
export declare function resourceOf(path: string, { store, size, checkpoint, }: {
    readonly store: Pick<LogStore, 'tile' | 'entries'>;
    readonly size: number;
    readonly checkpoint: string;
}): Promise<Resource | undefined>;
export declare function readTile(store: Pick<LogStore, 'tile' | 'entries'>, { level, index, width }: Tile.Tile): Promise<Bytes | undefined>;

// server/metered.d.ts
import { type Msat } from '../core/Amount.ts';
import type { Grant } from '../core/Grant.ts';
import type { Store } from '../storage/Store.ts';
export interface Settled {
    readonly charged: Msat;
    readonly left: Msat | undefined;
    readonly short: Msat;
}
export interface MeteredAttempt {
    readonly store: Pick<Store, 'spend' | 'refund' | 'used'>;
    readonly attempt: string;
    readonly grant: Pick<Grant, 'paymentHash' | 'charges' | 'cost'>;
    readonly max: Msat;
    readonly clock: () => Date;
}
export declare function settleMetered(options: MeteredAttempt, cost: Msat): Promise<Settled>;

// server/Offer.d.ts
import { type AmountLike, type Msat } from '../core/Amount.ts';
import * as Caveat from '../core/Caveat.ts';
import type { Call } from './Call.ts';
import type { Free } from './freebies.ts';
import type { Asked } from './prices.ts';
export type Mode = {
    readonly kind: 'uses';
    readonly uses: number;
} | {
    readonly kind: 'budget';
    readonly amount: Msat;
} | {
    readonly kind: 'pass';
};
export interface Offer {
    readonly service: string;
    readonly route: string;
    readonly verbs: readonly string[];
    readonly pattern: string;
    readonly price: Msat;
    readonly ask?: (call: Call) => Promise<Asked>;
    readonly metered?: {
        readonly max: Msat;
    };
    readonly free?: Free;
    readonly shadow?: true;
    readonly varies?: true;
    readonly mode: Mode;
    readonly lifetime: number;
    readonly grants?: readonly string[];
    readonly requires?: 'seal' | 'key';
}
export declare function invoiceAmount({ price, mode }: Offer): Msat;
export declare function mintedCaveats(offer: Offer, expires: Date, client: string): readonly Caveat.Caveat[];
export declare const NET_CLIENT = "net=client";
export declare function wasSoldFor(caveats: readonly string[], { verbs, pattern }: Offer): boolean;
export interface PriceOptions {
    readonly price: AmountLike | ((call: Call) => AmountLike);
    readonly service?: string;
    readonly path?: string;
    readonly uses?: number;
    readonly budget?: AmountLike;
    readonly pass?: true;
    readonly lifetime?: number;
}
export declare function offerFor(options: PriceOptions, service: string, call: Call): Offer;

// server/freebies.d.ts
import type { Key } from '../core/Key.ts';
import type { Store } from '../storage/Store.ts';
import type { Call } from './Call.ts';
import type { Offer } from './Offer.ts';
import type { Rate } from './pace.ts';
export interface Free {
    readonly perClient: Rate;
    readonly total?: Rate;
}
export interface Freebie {
    readonly left: bigint;
    readonly release: () => Promise<boolean>;
}
export interface Freebies {
    take(call: Call, offer: Offer, now: Date): Promise<Freebie | undefined>;
}
export declare function createFreebies(options: {
    readonly key: Key;
    readonly store: Pick<Store, 'spend' | 'refund'>;
    readonly nextAttempt: () => string;
}): Freebies;

// server/pace.d.ts
import { TallyError } from '../core/errors.ts';
export interface Rate {
    readonly count: number;
    readonly seconds: number;
}
export interface Paced {
    readonly ok: boolean;
    readonly left: number;
    readonly full: number;
    readonly wait: number;
}
export interface Pacer {
    readonly rate: Rate;
    take(who: string, now: Date): Paced;
    giveBack(who: string): void;
}
export declare function createPacer(rate: Rate, { most }?: {
    most?: number | undefined;
}): Pacer;
export declare const tooOften: (message: string, wait: number) => TallyError;

// server/prices.d.ts
import type { Msat } from '../core/Amount.ts';
import type { Call } from './Call.ts';
import type { Offer } from './Offer.ts';
export interface Asked {
    readonly price: Msat;
    readonly question?: string;
}
export interface Prices {
    of(call: Call, offer: Offer): Promise<Offer>;
    now(call: Call, offer: Offer): Promise<{
        readonly offer: Offer;
        readonly hold: () => void;
    }>;
}
export declare function createPrices(clock: () => Date, { holdFor }: {
    readonly holdFor: number;
}): Prices;

// server/quote.d.ts
import { type Bytes } from '../core/bytes.ts';
import type { Key } from '../core/Key.ts';
import type { Receiver } from '../lightning/Lightning.ts';
import type { Quote, Store } from '../storage/Store.ts';
import type { Since } from './beacon.ts';
import { type Offer } from './Offer.ts';
import { type Rate } from './pace.ts';
export interface QuoterOptions {
    readonly key: Key;
    readonly store: Store;
    readonly lightning: Receiver;
    readonly clock: () => Date;
    readonly invoiceLifetime: number;
    readonly since?: Since | undefined;
    readonly location: string;
    readonly invoices?: InvoiceLimits | undefined;
}
export interface InvoiceLimits {
    readonly perClient?: Rate;
    readonly total?: Rate;
}
export interface Quoter {
    quote(client: string, offer: Offer): Promise<Quote>;
    close(paymentHash: Bytes): void;
}
export declare function createQuoter(options: QuoterOptions): Quoter;

// server/beacon.d.ts
import type { Terms } from '../core/Terms.ts';
import type { Receiver } from '../lightning/Lightning.ts';
import type { IssuerOptions } from './issuer.ts';
export type Since = () => Promise<Pick<Terms, 'receiptKey' | 'since'>>;
export declare function createBeacon(options: {
    readonly receipts: Pick<IssuerOptions, 'signer' | 'log'> | undefined;
    readonly lightning: Pick<Receiver, 'tip'>;
    readonly clock: () => Date;
}): Since;

// server/receipts.d.ts
import { type Bytes } from '../core/bytes.ts';
import type { TallyError } from '../core/errors.ts';
import type { Grant } from '../core/Grant.ts';
import * as Receipt from '../core/Receipt.ts';
import type { Store } from '../storage/Store.ts';
import { type Issuer, type IssuerOptions } from './issuer.ts';
export interface Asked extends Receipt.Act {
    readonly service: string;
    readonly route: string;
    readonly body?: Bytes | undefined;
}
export type Shown = Pick<Grant, 'tokenId' | 'paymentHash' | 'caveats' | 'links' | 'hands'>;
export interface Delivered {
    readonly status: number;
    readonly digest: Bytes;
    readonly length: number;
    readonly mediaType?: string | undefined;
    readonly complete: boolean;
    readonly requestBody?: Bytes | undefined;
}
export interface Use {
    readonly id: string;
    readonly headers: readonly (readonly [name: string, value: string])[];
    readonly delivered: (result: Delivered) => void;
    readonly refunded: (reason?: string) => void;
    readonly metered: (charged: bigint) => void;
}
export interface Receipts {
    readonly issuer: Pick<Issuer, 'trouble' | 'flushed'>;
    readonly granted: (grant: Shown & Pick<Grant, 'cost'>, asked: Asked, source: Source) => Promise<Use>;
    readonly denied: (shown: Shown, asked: Asked, error: TallyError) => void;
    readonly confirmed: (paymentHash: Bytes, payment: {
        readonly at: Date;
        readonly amount: bigint;
    }) => void;
    readonly alarmed: (paymentHash: Bytes) => void;
}
export type Source = Receipt.Source;
export interface ReceiptsOptions extends IssuerOptions {
    readonly store: Pick<Store, 'quoted'>;
}
export declare function createReceipts(options: ReceiptsOptions): Receipts;

// server/reconcile.d.ts
import { type Bytes } from '../core/bytes.ts';
import { TallyError } from '../core/errors.ts';
import type { InvoiceState, Receiver } from '../lightning/Lightning.ts';
export interface Alarm {
    readonly type: 'preimage_unsettled';
    readonly paymentHash: string;
    readonly state: InvoiceState['state'] | 'unknown';
}
export interface ReconcilerOptions {
    readonly lightning: Pick<Receiver, 'lookupInvoice'>;
    readonly onPaid: (paymentHash: Bytes, payment: {
        readonly at: Date;
        readonly amount: bigint;
    }) => void;
    readonly onAlarm: (alarm: Alarm, paymentHash: Bytes) => void;
    readonly onTrouble: (error: TallyError) => void;
    readonly later?: (work: () => void, ms: number) => Disposable;
}
export interface Reconciler extends Disposable {
    readonly seen: (paymentHash: Bytes) => void;
    readonly suspect: (paymentHash: Bytes) => boolean;
    readonly clear: (paymentHash: Bytes) => void;
}
export declare function createReconciler(options: ReconcilerOptions): Reconciler;

// server/shadow.d.ts
import { type ErrorCode } from '../core/errors.ts';
import type { Charge } from '../core/Grant.ts';
import type { Spend, Store } from '../storage/Store.ts';
import type { Call } from './Call.ts';
import type { Admission } from './gate.ts';
import type { Offer } from './Offer.ts';
export interface Would {
    readonly status: number;
    readonly code?: ErrorCode | 'FREE';
}
export declare function createShadow(decide: (call: Call, offer: Offer) => Promise<Would>): (call: Call, offer: Offer) => Promise<Admission>;
export declare const wouldText: ({ status, code }: Would) => string;
export declare function firstEmpty(store: Pick<Store, 'used'>, charges: readonly Charge[]): Promise<(Spend & {
    readonly ok: false;
}) | undefined>;

// server/customer.d.ts
export declare function customerOf(client: string): string;

// server/answer.d.ts
import { type Msat } from '../core/Amount.ts';
import type { TallyError } from '../core/errors.ts';
import type { Quote } from '../storage/Store.ts';
import type { Answer, Call } from './Call.ts';
export declare function challengeAnswer(call: Call, quote: Quote, { error, payment }?: {
    error?: TallyError | undefined;
    payment?: string | undefined;
}): Answer;
export declare function priceOnlyAnswer(call: Call, amount: Msat, error?: TallyError): Answer;
export declare function problemAnswer(call: Pick<Call, 'method'>, error: TallyError): Answer;

// server/protect.d.ts
import type { Grant } from '../core/Grant.ts';
import type { Answer, Call } from './Call.ts';
import type { Gate } from './gate.ts';
import { type PriceOptions } from './Offer.ts';
export interface ProtectOptions extends PriceOptions {
    readonly client?: (request: Request) => string;
}
export declare function protect(gate: Gate, options: ProtectOptions, handler: (request: Request, grant: Grant) => Response | Promise<Response>): (request: Request) => Promise<Response>;
export declare function callOfRequest(request: Request, client: string): Call;
export declare function toResponse({ status, headers, body }: Answer): Response;

// server/settle.d.ts
import { TallyError } from '../core/errors.ts';
import type { Receiver, Settlement } from '../lightning/Lightning.ts';
import type { Store } from '../storage/Store.ts';
export interface FollowOptions {
    readonly lightning: Pick<Receiver, 'settlements'>;
    readonly store: Pick<Store, 'settle' | 'cursor'>;
    readonly signal: AbortSignal;
    readonly onSettled?: (settlement: Settlement) => void;
    readonly onTrouble?: (error: TallyError, delay: number) => void;
    readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}
export declare function followSettlements(options: FollowOptions): Promise<void>;

// server/cosigning.d.ts
import type { VerifyEd25519 } from '../core/ed25519.ts';
import * as LogPolicy from '../core/LogPolicy.ts';
import type { ReceiptLog } from './log.ts';
export interface CosigningOptions {
    readonly log: ReceiptLog;
    readonly policy: LogPolicy.LogPolicy;
    readonly clock: () => Date;
    readonly fetch?: typeof fetch;
    readonly ed25519?: VerifyEd25519;
    readonly onTrouble: (error: unknown) => void;
}
export interface Cosigning {
    check(): Promise<void>;
    round(): Promise<void>;
}
export declare function createCosigning(options: CosigningOptions): Cosigning;

// server/witness.d.ts
import type { Signer, VerifyEd25519 } from '../core/ed25519.ts';
import * as Note from '../core/Note.ts';
import type { WitnessStore } from '../storage/WitnessStore.ts';
import type { Answer } from './Call.ts';
export interface WitnessOptions {
    readonly name: string;
    readonly signer: Signer;
    readonly logs: readonly Note.VerifierKey[];
    readonly store: WitnessStore;
    readonly clock: () => Date;
    readonly ed25519?: VerifyEd25519;
}
export interface Witness {
    readonly key: Note.VerifierKey;
    handle(request: {
        readonly method: string;
        readonly path: string;
        readonly body: string;
    }): Promise<Answer>;
}
export declare const monitoringPath: (origin: string) => string;
export declare function createWitness({ name, signer, logs, store, clock, ed25519 }: WitnessOptions): Witness;

// server/attach.d.ts
import type { Hashing } from '../core/hashing.ts';
import type { Answer } from './Call.ts';
import type { Admission } from './gate.ts';
export interface WatchedResponse {
    readonly statusCode: number;
    readonly writableFinished: boolean;
    writeHead(status: number, ...rest: never[]): unknown;
    write(chunk: never, ...rest: never[]): boolean;
    end(...rest: never[]): unknown;
    once(event: 'close', listener: () => void): unknown;
}
export interface AttachOptions {
    readonly startHash?: () => Hashing;
    readonly failed?: () => boolean;
}
export declare const fitting: (headers: Answer['headers'], status: number) => Answer['headers'];
export declare function attachReceipt(res: WatchedResponse, { headers, delivered }: Pick<Extract<Admission, {
    kind: 'granted';
}>, 'headers' | 'delivered'>, { startHash, failed }?: AttachOptions): void;

// core/hashing.d.ts
import type { Bytes } from './bytes.ts';
export interface Hashing {
    readonly update: (piece: Bytes) => void;
    readonly digest: () => Bytes;
}
export declare function startSha256(): Hashing;

// server/receiptDesk.d.ts
import type { Authentic } from '../core/Capability.ts';
import * as Proof from '../core/Proof.ts';
import type { Entry } from '../storage/Book.ts';
import type { Store } from '../storage/Store.ts';
import type { Answer, Call } from './Call.ts';
import type { IssuerOptions } from './issuer.ts';
export declare const RECEIPTS_PATH = "/.well-known/tally/receipts/";
export interface Archive {
    readonly log: Pick<IssuerOptions['log'], 'prove' | 'book'>;
    readonly store: Pick<Store, 'quoted'>;
}
export declare function bundleOf({ log, store }: Archive, entry: Entry): Promise<Proof.Bundle>;
export declare function createReceiptDesk(options: Archive & {
    readonly flushed: () => Promise<void>;
    readonly presented: (call: Call) => Promise<Authentic | undefined>;
}): (call: Call) => Promise<Answer | undefined>;

// server/log/check.d.ts
import { type Bytes } from '../../core/bytes.ts';
import type { SignedCheckpoint } from '../../core/Checkpoint.ts';
import type { VerifyEd25519 } from '../../core/ed25519.ts';
import * as LogPolicy from '../../core/LogPolicy.ts';
export type LogSource = (path: string) => Promise<Bytes | undefined>;
export interface CheckLogOptions {
    readonly policy: LogPolicy.LogPolicy;
    readonly remembered?: string;
    readonly ed25519?: VerifyEd25519;
    readonly onEntries?: (done: number, of: number) => Promise<void> | void;
}
export interface CheckedLog {
    readonly text: string;
    readonly checkpoint: SignedCheckpoint;
    readonly witnessed: Date | undefined;
    readonly before: number | undefined;
}
export declare function checkLog(source: LogSource, options: CheckLogOptions): Promise<CheckedLog>;

// server/anchor.d.ts
import { TallyError } from '../core/errors.ts';
import * as Ots from '../core/Ots.ts';
export interface Anchored {
    readonly checkpoint: string;
    readonly timestamp: Ots.Timestamp;
    readonly at: Date;
}
export interface AnchorStore {
    all(): Promise<readonly Anchored[]>;
    put(anchored: Anchored): Promise<void>;
}
export interface AnchorOptions {
    readonly log: {
        published(): Promise<string>;
    };
    readonly store: AnchorStore;
    readonly calendars: readonly string[];
    readonly every: number;
    readonly clock: () => Date;
    readonly fetch?: typeof globalThis.fetch;
    readonly onTrouble?: (error: TallyError) => void;
}
export interface Anchor {
    step(): Promise<void>;
}
export declare function createAnchor(options: AnchorOptions): Anchor;
