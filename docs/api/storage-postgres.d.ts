// storage/postgres.d.ts
export type { PostgresClient, PostgresPool, PostgresResult } from './postgres/Pool.ts';
export { checkPostgres, postgresStore, type PostgresStoreOptions } from './postgres/store.ts';

// storage/postgres/Pool.d.ts
export interface PostgresResult {
    readonly rows: readonly Readonly<Record<string, unknown>>[];
    readonly rowCount: number | null;
}
export interface PostgresClient {
    query(text: string, values?: (string | null)[]): Promise<PostgresResult>;
    on(event: 'error', listener: (error: Error) => void): unknown;
    removeListener(event: 'error', listener: (error: Error) => void): unknown;
    release(destroy?: boolean): void;
}
export interface PostgresPool {
    connect(): Promise<PostgresClient>;
}
export declare function borrow(pool: PostgresPool): Promise<PostgresClient>;
export declare function giveBack(client: PostgresClient, options: {
    readonly broken: boolean;
}): void;
export declare function ask(pool: PostgresPool, text: string, values?: (string | null)[]): Promise<PostgresResult>;

// storage/postgres/store.d.ts
import type { Key } from '../../core/Key.ts';
import type { Store } from '../Store.ts';
import { type PostgresPool } from './Pool.ts';
export interface PostgresStoreOptions {
    readonly key?: Key;
    readonly node?: string;
    readonly clock?: () => Date;
}
export declare function postgresStore(pool: PostgresPool, options?: PostgresStoreOptions): Promise<Store>;
export declare function checkPostgres(pool: PostgresPool, options?: Pick<PostgresStoreOptions, 'key'>): Promise<number | undefined>;
