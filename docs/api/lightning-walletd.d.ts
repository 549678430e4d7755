// lightning/walletd.d.ts
import type { Payer } from './Lightning.ts';
export * from './walletWire.ts';
export interface WalletdOptions {
    readonly token?: string;
    readonly network?: string;
}
export declare function walletd(address: string, options?: WalletdOptions): Payer;

// lightning/walletWire.d.ts
import { type Msat } from '../core/Amount.ts';
import type { Payment } from './Lightning.ts';
export interface PayRequest {
    readonly bolt11: string;
    readonly maxFee: Msat;
}
export declare const MAX_BODY = 16384;
export declare function encodePay({ bolt11, maxFee }: PayRequest): object;
export declare function decodePay(json: unknown): PayRequest;
export declare function encodePayment(payment: Payment): object;
export declare function decodePayment(json: unknown): Payment;
export declare function decodeMsat(value: unknown, name: string): Msat;
export declare function asText(value: unknown, name: string): string;
export declare function asObject(json: unknown): Readonly<Record<string, unknown>>;
