// storage/sqlite.d.ts
export { sqliteJar } from './sqlite/jar.ts';
export { sqliteStore } from './sqlite/store.ts';

// storage/sqlite/jar.d.ts
import type { Jar } from '../Jar.ts';
export declare function sqliteJar(path: string): Jar;

// storage/sqlite/store.d.ts
import type { Store } from '../Store.ts';
export declare function sqliteStore(path: string): Store;
