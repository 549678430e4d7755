/** Ports and the in-memory reference. The stores that need a platform have their own entry: tallystick/storage/sqlite. */
export type { Cap, Jar, Kept, Purchase } from './Jar.ts'
export type { Against, Deposit, Quote, Ruling, Session, Spend, Store } from './Store.ts'
export type { LogCommit, LogGuard, LogHead, LogStore, Signed } from './LogStore.ts'
export type { Witnessed, WitnessStore } from './WitnessStore.ts'
export { memoryJar, memoryStore } from './memory.ts'
export type { Book, BookQuery, Entry, Holding } from './Book.ts'
export { memoryBook } from './memoryBook.ts'
