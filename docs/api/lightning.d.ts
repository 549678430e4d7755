// lightning/index.d.ts
export { bell, type Bell } from './bell.ts';
export type { CreatedInvoice, HoldRequest, InvoiceRequest, InvoiceState, Lightning, Payer, Payment, Receiver, Settlement, } from './Lightning.ts';
export { checkRequest, orPending, payable } from './request.ts';

// lightning/bell.d.ts
export interface Bell {
    readonly count: number;
    ring(): void;
    wait(count: number, signal: AbortSignal): Promise<void>;
}
export declare function bell(): Bell;

// lightning/Lightning.d.ts
import type { Bytes } from '../core/bytes.ts';
import type { Msat } from '../core/Amount.ts';
export interface InvoiceRequest {
    readonly amount: Msat;
    readonly expires: Date;
    readonly memo?: string;
    readonly descriptionHash?: Bytes;
    readonly preimage?: Bytes;
}
export interface HoldRequest extends Omit<InvoiceRequest, 'preimage'> {
    readonly paymentHash: Bytes;
}
export interface CreatedInvoice {
    readonly bolt11: string;
    readonly paymentHash: Bytes;
}
export type InvoiceState = {
    readonly state: 'open';
} | {
    readonly state: 'held';
    readonly deadline?: number;
} | {
    readonly state: 'paid';
    readonly at: Date;
    readonly amount: Msat;
    readonly preimage?: Bytes;
} | {
    readonly state: 'cancelled';
} | {
    readonly state: 'expired';
};
export interface Settlement {
    readonly cursor: string;
    readonly paymentHash: Bytes;
    readonly amount: Msat;
    readonly at: Date;
}
export interface Receiver {
    readonly capabilities: {
        readonly choosesPreimage: boolean;
        readonly holds: boolean;
        readonly descriptionHash: boolean;
        readonly msats: boolean;
    };
    readonly network: string;
    createInvoice(request: InvoiceRequest): Promise<CreatedInvoice>;
    createHoldInvoice(request: HoldRequest): Promise<CreatedInvoice>;
    settleHold(preimage: Bytes): Promise<void>;
    cancelHold(paymentHash: Bytes): Promise<void>;
    tip?(): Promise<{
        readonly height: number;
        readonly hash: Bytes;
        readonly header?: Bytes;
    }>;
    lookupInvoice(paymentHash: Bytes): Promise<InvoiceState | undefined>;
    settlements(options: {
        after?: string | undefined;
        signal: AbortSignal;
    }): AsyncIterable<Settlement>;
}
export type Payment = {
    readonly state: 'paid';
    readonly preimage: Bytes;
    readonly fee: Msat;
    readonly amount: Msat;
} | {
    readonly state: 'pending';
} | {
    readonly state: 'failed';
    readonly reason: string;
};
export interface Payer {
    readonly network: string;
    pay(request: {
        bolt11: string;
        maxFee: Msat;
        signal?: AbortSignal | undefined;
    }): Promise<Payment>;
    lookupPayment(paymentHash: Bytes): Promise<Payment | undefined>;
    balance(): Promise<Msat>;
}
export type Lightning = Receiver & Payer & AsyncDisposable;

// lightning/request.d.ts
import type { Msat } from '../core/Amount.ts';
import * as Invoice from '../core/Invoice.ts';
import type { HoldRequest, InvoiceRequest, Payment } from './Lightning.ts';
export declare function checkRequest(request: InvoiceRequest | HoldRequest, now: Date): void;
export declare function payable(bolt11: string, network: string): Invoice.Invoice & {
    readonly amount: Msat;
};
export declare function orPending(outcome: Promise<Payment>, signal: AbortSignal | undefined): Promise<Payment>;
