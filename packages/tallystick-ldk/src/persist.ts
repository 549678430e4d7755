/**
 * LDK's storage over our journal: the KVStore it writes monitor updates to, and reading a node back from it. Only deltas of
 * a ChannelMonitor are written per update; writing whole monitors grows with the square of the number of payments.
 */
import type { Journal } from './journal.ts'
import { ldk } from './ldk.ts'

export function kvStore(journal: Journal, prefix: string): ldk.KVStore {
  const missing = ldk.IOError.LDKIOError_NotFound
  const folder = (a: string, b: string): string => `${prefix}/kv/${a}/${b}/`
  return ldk.KVStore.new_impl({
    read: (a, b, key) => {
      const value = journal.get(folder(a, b) + key)
      return value
        ? ldk.Result_CVec_u8ZIOErrorZ.constructor_ok(value)
        : ldk.Result_CVec_u8ZIOErrorZ.constructor_err(missing)
    },
    write: (a, b, key, bytes) => {
      journal.put(folder(a, b) + key, bytes)
      return ldk.Result_NoneIOErrorZ.constructor_ok()
    },
    remove: (a, b, key) => {
      journal.delete(folder(a, b) + key)
      return ldk.Result_NoneIOErrorZ.constructor_ok()
    },
    list: (a, b) => {
      const names = journal.keys(folder(a, b)).map((key) => key.slice(folder(a, b).length))
      return ldk.Result_CVec_StrZIOErrorZ.constructor_ok(names.filter((name) => !name.includes('/')))
    },
  })
}
