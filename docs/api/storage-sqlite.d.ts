// storage/sqlite.d.ts
export { sqliteJar } from './sqlite/jar.ts';
export { sqliteStore } from './sqlite/store.ts';
export { sqliteLog } from './sqlite/log.ts';
export { logGuard } from './sqlite/logGuard.ts';
export { sqliteWitness } from './sqlite/witness.ts';
export { readSqliteBook } from './sqlite/book.ts';

// storage/sqlite/jar.d.ts
import type { Jar } from '../Jar.ts';
export declare function sqliteJar(path: string): Jar;

// storage/sqlite/store.d.ts
import type { Store } from '../Store.ts';
export declare function sqliteStore(path: string): Store;

// storage/sqlite/log.d.ts
import type { LogStore } from '../LogStore.ts';
export declare function sqliteLog(path: string): LogStore;

// storage/sqlite/logGuard.d.ts
import type { LogGuard } from '../LogStore.ts';
export declare function logGuard(path: string): LogGuard;

// storage/sqlite/witness.d.ts
import type { WitnessStore } from '../WitnessStore.ts';
export declare function sqliteWitness(path: string): WitnessStore;

// storage/sqlite/book.d.ts
import type { Book, Entry } from '../Book.ts';
import type { Database } from './Database.ts';
export declare function readSqliteBook(path: string): Pick<Book, 'get' | 'find' | 'last'> & AsyncDisposable;
export declare function bookOn(database: Database): {
    readonly book: Book;
    readonly add: (entry: Entry) => void;
};

// storage/sqlite/Database.d.ts
import type { StatementSync } from 'node:sqlite';
import type { Schema } from '../schema.ts';
export declare class Database implements AsyncDisposable {
    #private;
    constructor(path: string, schema: Schema, access: 'sole' | 'shared');
    prepare(sql: string): StatementSync;
    setUp<T>(work: () => T): T;
    read<T>(query: () => T): T;
    write<T>(job: () => T): Promise<T>;
    [Symbol.asyncDispose](): Promise<void>;
}

// storage/schema.d.ts
export interface Schema {
    readonly name: string;
    readonly applicationId: number;
    readonly migrations: readonly string[];
}
export declare const storeSchema: Schema;
export declare const logSchema: Schema;
export declare const jarSchema: Schema;
export declare const postgresMigrations: readonly string[];
