/** Both ports on SQLite pass the suites that the reference in memory passes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { jarConformance } from '../testing/jar.ts'
import { storeConformance } from '../testing/store.ts'
import { sqliteJar, sqliteStore } from './sqlite.ts'

const folder = mkdtempSync(join(tmpdir(), 'tallystick-sqlite-'))
after(() => rmSync(folder, { recursive: true }))

/** Opens a new file each time, and knows afterwards which it was. */
function files<T extends AsyncDisposable>(open: (path: string) => T) {
  const paths = new WeakMap<T, string>()
  const at = (path: string): T => {
    const opened = open(path)
    paths.set(opened, path)
    return opened
  }
  let count = 0
  return {
    open: async () => at(join(folder, `${open.name}-${count++}.db`)),
    share: async (opened: T) => at(paths.get(opened)!),
    reopen: async (opened: T) => {
      await opened[Symbol.asyncDispose]()
      return at(paths.get(opened)!)
    },
  }
}

const stores = files(sqliteStore)
storeConformance('SQLite', stores.open, { reopen: stores.reopen })

const jars = files(sqliteJar)
jarConformance('SQLite', jars.open, { reopen: jars.reopen, share: jars.share })
