// lightning/lnd.d.ts
import type { Lightning } from './Lightning.ts';
import { type RestOptions } from './lnd/rest.ts';
export { permissionsOf, type Permission } from './lnd/permissions.ts';
export interface LndOptions extends RestOptions {
    readonly clock?: () => Date;
}
export interface Lnd extends Lightning {
    readonly nodeId: string;
}
export declare function lnd(options: LndOptions): Promise<Lnd>;

// lightning/lnd/rest.d.ts
export type Json = Readonly<Record<string, unknown>>;
export interface Call {
    readonly path: string;
    readonly body?: object;
    readonly signal?: AbortSignal | undefined;
}
export interface Rest {
    ask(call: Call): Promise<Json>;
    stream(call: Call): AsyncGenerator<Json, void>;
    close(): void;
}
export interface RestOptions {
    readonly url: string;
    readonly macaroon: string;
    readonly cert?: string | undefined;
}
export declare const isNotFound: (error: unknown) => boolean;
export declare function openRest({ url, macaroon, cert }: RestOptions): Rest;
export declare function asObject(json: unknown): Json;

// lightning/lnd/permissions.d.ts
export type Permission = `${string}:${string}`;
export declare function permissionsOf(macaroonHex: string): readonly Permission[];
