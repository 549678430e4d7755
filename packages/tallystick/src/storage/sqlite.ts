/** Both ports on `node:sqlite`: Node 22.18 or newer. */
export { sqliteJar } from './sqlite/jar.ts'
export { sqliteStore } from './sqlite/store.ts'
export { sqliteLog } from './sqlite/log.ts'
export { logGuard } from './sqlite/logGuard.ts'
export { sqliteWitness } from './sqlite/witness.ts'
export { readSqliteBook } from './sqlite/book.ts'
