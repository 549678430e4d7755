/** All unit tests in one process; started by scripts/test.ts, which says which. */
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

for (const path of JSON.parse(process.env['TALLY_UNITS'] ?? '[]') as string[]) {
  try {
    await import(pathToFileURL(path).href)
  } catch (error) {
    test(`${path} loads`, () => {
      throw error
    })
  }
}
