/** The store on PostgreSQL, over a pool like that of `pg`: for more than one process. Any platform the driver runs on. */
export type { PostgresClient, PostgresPool, PostgresResult } from './postgres/Pool.ts'
export { checkPostgres, postgresStore, type PostgresStoreOptions } from './postgres/store.ts'
