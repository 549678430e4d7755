// storage/index.d.ts
export type { Cap, Jar, Kept, Purchase } from './Jar.ts';
export type { Against, Deposit, Quote, Ruling, Session, Spend, Store } from './Store.ts';
export type { LogCommit, LogGuard, LogHead, LogStore, Signed } from './LogStore.ts';
export type { Witnessed, WitnessStore } from './WitnessStore.ts';
export { memoryJar, memoryStore } from './memory.ts';
export type { Book, BookQuery, Entry, Holding } from './Book.ts';
export { memoryBook } from './memoryBook.ts';

// storage/Jar.d.ts
import type { Msat } from '../core/Amount.ts';
import type { Bytes } from '../core/bytes.ts';
export interface Purchase {
    readonly paymentHash: Bytes;
    readonly origin: string;
    readonly method: string;
    readonly path: string;
    readonly macaroon: string;
    readonly scheme: 'L402' | 'LSAT';
    readonly bolt11: string;
    readonly amount: Msat;
    readonly maxFee: Msat;
    readonly at: Date;
}
export interface Cap {
    readonly name: string;
    readonly limit: Msat;
    readonly since: Date;
    readonly origin?: string;
}
export interface Kept extends Purchase {
    readonly state: 'reserved' | 'paid' | 'dead';
    readonly preimage?: Bytes;
    readonly fee?: Msat;
    readonly confirmed: boolean;
}
export interface Jar extends AsyncDisposable {
    reserve(purchase: Purchase, caps: readonly Cap[]): Promise<void>;
    keep(paymentHash: Bytes, outcome: {
        preimage: Bytes;
        fee: Msat;
    }): Promise<void>;
    confirm(paymentHash: Bytes): Promise<void>;
    release(paymentHash: Bytes): Promise<void>;
    retire(paymentHash: Bytes): Promise<void>;
    find(origin: string): Promise<readonly Kept[]>;
    get(paymentHash: Bytes): Promise<Kept | undefined>;
    all(): Promise<readonly Kept[]>;
    spent(cap: Omit<Cap, 'limit' | 'name'>): Promise<Msat>;
}

// storage/Store.d.ts
import type { Msat } from '../core/Amount.ts';
import type { Bytes } from '../core/bytes.ts';
import type { Charge } from '../core/Grant.ts';
export interface Quote {
    readonly paymentHash: Bytes;
    readonly slot: string;
    readonly amount: Msat;
    readonly bolt11: string;
    readonly macaroon: string;
    readonly service: string;
    readonly route: string;
    readonly terms: string;
    readonly created: Date;
    readonly expires: Date;
}
export type Spend = {
    readonly ok: true;
    readonly remaining: readonly bigint[];
} | {
    readonly ok: false;
    readonly charge: Charge;
    readonly remaining: bigint;
};
export interface Ruling {
    readonly tag: string;
    readonly tokenId: Bytes;
    readonly link: string | undefined;
    readonly caveat: string | undefined;
    readonly at: Date;
    readonly until: Date | undefined;
}
export interface Against {
    readonly revoked: boolean;
    readonly caveats: readonly string[];
}
export interface Session {
    readonly id: Bytes;
    readonly returnInvoice: string;
    readonly deposits: readonly Bytes[];
}
export type Deposit = {
    readonly paymentHash: Bytes;
    readonly at: Date;
} & ({
    readonly returnInvoice: string;
} | {
    readonly session: Bytes;
});
export interface Store extends AsyncDisposable {
    open(quote: Quote): Promise<void>;
    quoted(paymentHash: Bytes): Promise<Quote | undefined>;
    offered(now: Date): Promise<readonly Quote[]>;
    settle(settlement: {
        paymentHash: Bytes;
        at: Date;
        cursor?: string;
    }): Promise<boolean>;
    settled(paymentHash: Bytes): Promise<boolean>;
    cursor(): Promise<string | undefined>;
    spend(request: {
        key: string;
        paymentHash: Bytes;
        charges: readonly Charge[];
        at: Date;
        seal?: {
            readonly until: Date;
        };
        stands?: () => void;
    }): Promise<Spend>;
    refund(key: string, kept?: readonly bigint[]): Promise<boolean>;
    reserve(request: {
        paymentHash: Bytes;
        charges: readonly Charge[];
        at: Date;
        until: Date;
    }): Promise<Spend>;
    deposit(request: Deposit): Promise<boolean>;
    session(id: Bytes): Promise<Session | undefined>;
    rule(ruling: Ruling): Promise<boolean>;
    rulings(): Promise<readonly Ruling[]>;
    against(tag: string): Against | undefined;
    inStep?(): Promise<void> | undefined;
    used(meter: string): Promise<bigint>;
    sweep(now: Date): Promise<number>;
}

// storage/LogStore.d.ts
import type { Bytes } from '../core/bytes.ts';
import type { WrittenTile } from '../core/Edge.ts';
import type { Book, Entry } from './Book.ts';
export interface LogHead {
    readonly size: number;
    readonly checkpoint: string | undefined;
    readonly edge: () => readonly Bytes[];
}
export interface LogCommit {
    readonly from: number;
    readonly entries: readonly Bytes[];
    readonly kept: readonly Entry[];
    readonly tiles: readonly WrittenTile[];
    readonly checkpoint: string;
}
export interface LogStore extends AsyncDisposable {
    readonly book: Book;
    head(): Promise<LogHead>;
    commit(build: (head: LogHead) => LogCommit): Promise<number>;
    tile(level: number, index: number): Promise<Bytes | undefined>;
    entries(from: number, to: number): Promise<readonly Bytes[]>;
    publish(published: {
        readonly size: number;
        readonly checkpoint: string;
    }): Promise<void>;
    published(): Promise<string | undefined>;
}
export interface LogGuard extends AsyncDisposable {
    last(): Signed | undefined;
    record(signed: Signed): void;
    sync(): Promise<void>;
}
export interface Signed {
    readonly size: number;
    readonly root: Bytes;
}

// storage/Book.d.ts
import type { Bytes } from '../core/bytes.ts';
import type { KindName } from '../core/Receipt.ts';
export interface Holding {
    readonly tag: string;
    readonly link: string | undefined;
}
export interface Entry {
    readonly id: string;
    readonly deal: string;
    readonly kind: KindName;
    readonly index: number;
    readonly at: Date;
    readonly service: string;
    readonly hands: readonly Holding[];
    readonly content: {
        readonly envelope: string;
        readonly salt: Bytes;
    } | undefined;
}
export interface BookQuery {
    readonly agent?: string | undefined;
    readonly link?: string | undefined;
    readonly tag?: string | undefined;
    readonly service?: string | undefined;
    readonly deal?: string | undefined;
    readonly kind?: KindName | undefined;
    readonly since?: Date | undefined;
    readonly until?: Date | undefined;
    readonly after?: number | undefined;
    readonly limit: number;
}
export interface Book extends AsyncDisposable {
    keep(entries: readonly Entry[]): Promise<void>;
    get(id: string): Promise<Entry | undefined>;
    last(deal: string, kind: KindName): Promise<Entry | undefined>;
    find(query: BookQuery): Promise<readonly Entry[]>;
    drop(id: string): Promise<boolean>;
}

// storage/WitnessStore.d.ts
export interface Witnessed {
    readonly size: number;
    readonly checkpoint: string;
}
export interface WitnessStore extends AsyncDisposable {
    last(origin: string): Promise<Witnessed | undefined>;
    advance(origin: string, options: {
        readonly old: number;
        readonly to: Witnessed;
    }): Promise<boolean>;
}

// storage/memory.d.ts
import type { Jar } from './Jar.ts';
import type { Store } from './Store.ts';
export declare function memoryStore(): Store;
export declare function memoryJar(): Jar;

// storage/memoryBook.d.ts
import type { Book } from './Book.ts';
export declare function memoryBook(): Book;
export declare const isNamed: (link: string | undefined, name: string) => boolean;
