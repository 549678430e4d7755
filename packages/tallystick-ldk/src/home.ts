/** The directory a network lives in: private, held by one process, and gone afterwards if nobody asked to keep it. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { TallyError } from 'tallystick/core'

export interface Home {
  readonly file: string
  readonly kept: boolean
  leave(): void
}

export function enter(dir: string | undefined): Home {
  if (dir === undefined) return borrow()
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const lock = hold(join(dir, 'lock'))
    return { file: join(dir, 'network.db'), kept: true, leave: () => lock.close() }
  } catch (cause) {
    const { message, errcode } = cause as Error & { errcode?: number }
    // SQLITE_BUSY. The operating system lets go of the lock when its holder dies, however it dies.
    if (errcode === 5)
      throw new TallyError(
        'STORE_BUSY',
        `another process runs the network in ${dir}; stop it, or choose another directory`,
      )
    throw new TallyError('STORE_UNAVAILABLE', `cannot use ${dir}: ${message}`, { cause })
  }
}

function hold(file: string): DatabaseSync {
  const lock = new DatabaseSync(file)
  try {
    chmodSync(file, 0o600)
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    throw error
  }
}

function borrow(): Home {
  const dir = mkdtempSync(join(tmpdir(), 'tallystick-ldk-'))
  const leave = (): void => {
    process.off('exit', leave)
    rmSync(dir, { recursive: true, force: true })
  }
  process.once('exit', leave)
  return { file: join(dir, 'network.db'), kept: false, leave }
}
