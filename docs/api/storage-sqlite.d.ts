// storage/sqlite.d.ts
export { sqliteJar } from './sqlite/jar.ts';
export { sqliteStore } from './sqlite/store.ts';
export { sqliteLog } from './sqlite/log.ts';
export { logGuard } from './sqlite/logGuard.ts';
export { sqliteWitness } from './sqlite/witness.ts';
export { readSqliteBook, sqliteBook } from './sqlite/book.ts';

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
import type { Book } from '../Book.ts';
export declare function sqliteBook(path: string): Book;
export declare function readSqliteBook(path: string): Pick<Book, 'get' | 'find' | 'last'> & AsyncDisposable;
