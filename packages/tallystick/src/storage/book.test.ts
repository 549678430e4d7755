import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { bookConformance } from '../testing/book.ts'
import { memoryBook } from './memoryBook.ts'
import { sqliteLog } from './sqlite/log.ts'

const dir = mkdtempSync(join(tmpdir(), 'tally-book-'))
after(() => rmSync(dir, { recursive: true, force: true }))
let made = 0

bookConformance({ name: 'memory', open: memoryBook })
bookConformance({
  name: 'SQLite',
  open: () => sqliteLog(join(dir, `${made++}.db`)).book,
  async reopen(book) {
    await book[Symbol.asyncDispose]()
    return sqliteLog(join(dir, `${made - 1}.db`)).book
  },
})
