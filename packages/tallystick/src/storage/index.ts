/** Ports and the in-memory reference. The stores that need a platform have their own entry: tallystick/storage/sqlite. */
export type { Cap, Jar, Kept, Purchase } from './Jar.ts'
export type { Against, Deposit, Quote, Ruling, Session, Spend, Store } from './Store.ts'
export { memoryJar, memoryStore } from './memory.ts'
