/** docs/api holds the public declarations; a change to them has to show up in a diff that somebody reads. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { apiDocuments } from '../scripts/docs.ts'

const root = dirname(import.meta.dirname)

test('the public API is the committed one', () => {
  for (const [path, declarations] of apiDocuments()) {
    const committed = readFileSync(join(root, path), 'utf8')
    assert.equal(
      declarations,
      committed,
      `${path} changed: if that is meant, run \`npm run docs\` and note it in CHANGELOG.md`,
    )
  }
})
