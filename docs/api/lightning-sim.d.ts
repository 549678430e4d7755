// lightning/sim.d.ts
import { type Msat } from '../core/Amount.ts';
import { type Bytes } from '../core/bytes.ts';
import * as Invoice from '../core/Invoice.ts';
import { type LedgerJournal } from './Ledger.ts';
import type { Lightning } from './Lightning.ts';
export interface SimLink {
    down?: boolean;
    slow?: Promise<unknown> | undefined;
}
export interface SimOptions {
    readonly clock?: () => Date;
    readonly nodeKey?: Bytes;
    readonly balance?: Msat;
    readonly network?: Invoice.Network;
    readonly link?: SimLink;
    readonly journal?: LedgerJournal;
}
export declare function sim(options?: SimOptions): Lightning;

// lightning/Ledger.d.ts
export type LedgerEvent = {
    readonly type: 'opened';
    readonly list: string;
    readonly balance: string;
    readonly nodeKey: string;
} | {
    readonly type: 'invoice';
    readonly hash: string;
    readonly bolt11: string;
    readonly amount: string;
    readonly expires: number;
    readonly preimage?: string;
} | {
    readonly type: 'sent';
    readonly hash: string;
    readonly amount: string;
} | {
    readonly type: 'held';
    readonly hash: string;
    readonly deadline: number;
} | {
    readonly type: 'settled';
    readonly hash: string;
    readonly preimage: string;
    readonly at: number;
} | {
    readonly type: 'cancelled';
    readonly hash: string;
} | {
    readonly type: 'failed';
    readonly hash: string;
    readonly reason: string;
};
export interface InvoiceRow {
    readonly bolt11: string;
    readonly amount: bigint;
    readonly expires: number;
    readonly state: 'open' | 'held' | 'paid' | 'cancelled';
    readonly preimage?: string;
    readonly deadline?: number;
    readonly paidAt?: number;
}
export interface PaymentRow {
    readonly amount: bigint;
    readonly state: 'sent' | 'paid' | 'failed';
    readonly preimage?: string;
    readonly reason?: string;
}
export interface LedgerJournal {
    read(): Iterable<string>;
    append(line: string): void;
}
export declare class Ledger {
    #private;
    readonly invoices: Map<string, InvoiceRow>;
    readonly payments: Map<string, PaymentRow>;
    readonly settled: string[];
    readonly held: Set<string>;
    balance: bigint;
    list: string;
    nodeKey: string;
    constructor(options: {
        balance: bigint;
        nodeKey: Uint8Array;
        journal?: LedgerJournal | undefined;
    });
    record(event: LedgerEvent): void;
}
