// testing/index.d.ts
export { lightningConformance, type LightningSubject } from './lightning.ts';
export { jarConformance, type JarConformanceOptions } from './jar.ts';
export { storeConformance, type StoreConformanceOptions } from './store.ts';
export { bookConformance, type BookConformanceOptions } from './book.ts';

// testing/lightning.d.ts
import type { Payer, Receiver } from '../lightning/Lightning.ts';
export interface LightningSubject {
    readonly receiver: Receiver;
    readonly payer: Payer;
    readonly now?: () => Date;
    readonly advance?: (milliseconds: number) => void | Promise<void>;
    close(): Promise<void>;
}
export declare function lightningConformance(name: string, open: () => Promise<LightningSubject>): void;

// testing/jar.d.ts
import type { Jar } from '../storage/Jar.ts';
export interface JarConformanceOptions {
    readonly reopen?: (jar: Jar) => Promise<Jar>;
    readonly share?: (jar: Jar) => Promise<Jar>;
}
export declare function jarConformance(name: string, open: () => Promise<Jar>, options?: JarConformanceOptions): void;

// testing/store.d.ts
import type { Store } from '../storage/Store.ts';
export interface StoreConformanceOptions {
    readonly reopen?: (store: Store) => Promise<Store>;
    readonly runs?: number;
}
export declare function storeConformance(name: string, open: () => Promise<Store>, options?: StoreConformanceOptions): void;

// testing/book.d.ts
import type { Book } from '../storage/Book.ts';
export interface BookConformanceOptions {
    readonly name: string;
    readonly open: () => Book | Promise<Book>;
    readonly reopen?: (book: Book) => Promise<Book>;
}
export declare function bookConformance({ name, open, reopen }: BookConformanceOptions): void;
