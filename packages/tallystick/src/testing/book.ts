/** What every Book does, whatever it is kept in. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Book, BookQuery, Entry } from '../storage/Book.ts'

const hex = (byte: number, bytes: number): string => byte.toString(16).padStart(2, '0').repeat(bytes)

function entry(index: number, change: Partial<Entry> = {}): Entry {
  return {
    id: hex(index, 16),
    deal: hex(index % 2, 32),
    kind: index % 3 === 0 ? 'denial' : 'settle',
    index,
    at: new Date(1000 * index),
    service: index < 5 ? 'qr' : 'text',
    hands: [{ tag: hex(200 + (index % 2), 32), link: undefined }],
    content: { envelope: `{"n":${index}}`, salt: new Uint8Array(32).fill(index) },
    ...change,
  }
}

export interface BookConformanceOptions {
  readonly name: string
  readonly open: () => Book | Promise<Book>
  /** Closes the book and opens it again, where it outlives that. */
  readonly reopen?: (book: Book) => Promise<Book>
}

export function bookConformance({ name, open, reopen }: BookConformanceOptions): void {
  const scout = { tag: hex(210, 32), link: 'scout#aaaaaaaa' }
  const sub = { tag: hex(211, 32), link: 'sub#bbbbbbbb' }
  const entries: readonly Entry[] = [
    ...Array.from({ length: 8 }, (_, index) => entry(index)),
    entry(8, { hands: [{ tag: hex(200, 32), link: undefined }, scout] }),
    entry(9, { hands: [{ tag: hex(200, 32), link: undefined }, scout, sub] }),
    entry(10, { hands: [] }),
    entry(11, {
      hands: [
        { tag: hex(201, 32), link: undefined },
        { tag: hex(212, 32), link: 'scouting#cccccccc' },
      ],
    }),
  ]
  const found = async (book: Book, query: Omit<BookQuery, 'limit'>): Promise<number[]> =>
    (await book.find({ ...query, limit: 100 })).map(({ index }) => index)

  describe(`the book in ${name}`, () => {
    test('gives back what it was given, in the order of the log', async () => {
      await using book = await open()
      await book.keep(entries.toReversed())
      await book.keep([entry(3, { service: 'another' })])
      assert.deepEqual(await book.find({ limit: 100 }), entries)
      assert.deepEqual(await book.get(hex(9, 16)), entries[9])
      assert.equal(await book.get(hex(99, 16)), undefined)
      assert.deepEqual(
        (await book.find({ limit: 2, after: 3 })).map(({ index }) => index),
        [4, 5],
      )
    })

    test('finds by agent, link, tag, service, deal, kind and time', async () => {
      await using book = await open()
      await book.keep(entries)
      assert.deepEqual(await found(book, { agent: 'scout' }), [8])
      assert.deepEqual(await found(book, { agent: 'sub' }), [9])
      assert.deepEqual(await found(book, { link: 'scout' }), [8, 9])
      assert.deepEqual(await found(book, { link: 'scout#aaaaaaaa' }), [8, 9])
      assert.deepEqual(await found(book, { link: 'scou' }), [])
      assert.deepEqual(await found(book, { tag: scout.tag }), [8, 9])
      assert.deepEqual(await found(book, { tag: hex(200, 32) }), [0, 2, 4, 6, 8, 9])
      assert.deepEqual(await found(book, { service: 'qr' }), [0, 1, 2, 3, 4])
      assert.deepEqual(await found(book, { deal: hex(1, 32), kind: 'settle' }), [1, 5, 7, 11])
      assert.deepEqual(await found(book, { since: new Date(9000), until: new Date(11_000) }), [9, 10])
      assert.deepEqual(await found(book, { tag: hex(201, 32), service: 'qr', kind: 'denial' }), [3])
      assert.equal((await book.last(hex(1, 32), 'settle'))?.index, 11)
      assert.equal(await book.last(hex(77, 32), 'settle'), undefined)
    })

    test('forgets what a receipt says, and not that it was', async () => {
      let book = await open()
      await book.keep(entries)
      assert.equal(await book.drop(hex(4, 16)), true)
      assert.equal(await book.drop(hex(4, 16)), false)
      assert.equal(await book.drop(hex(99, 16)), false)
      await book.keep([entries[4]!])
      if (reopen) book = await reopen(book)
      assert.deepEqual(await book.get(hex(4, 16)), { ...entries[4], content: undefined })
      assert.deepEqual(await book.get(hex(5, 16)), entries[5])
      await book[Symbol.asyncDispose]()
    })
  })
}
