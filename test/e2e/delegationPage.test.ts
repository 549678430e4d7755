/** docs/delegation.md does what it says: its commands run in order against the demo, and show what is behind their arrow. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { root, up } from '../support/up.ts'
import { sh, workplace } from './shell.ts'

const page = readFileSync(path.join(root, 'docs/delegation.md'), 'utf8')

test('every command of docs/delegation.md works as it stands', { timeout: 180_000 }, async () => {
  using place = workplace()
  await using demo = await up({ state: path.join(place.dir, '.tally'), cwd: place.dir })
  const lines = [...page.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block]) => block!.trim().split('\n'))
  assert.ok(lines.length > 20)
  for (const line of lines) {
    const [command, expected] = line.replaceAll('http://127.0.0.1:8402', demo.url).split(/ +# → /)
    const { code, out, err } = await sh(`export PATH="$PWD/node_modules/.bin:$PATH"; ${command}`, place.dir)
    if (expected === undefined) assert.equal(code, 0, `${line}\n${err}`)
    else assert.ok(`${out}${err}`.includes(expected), `${line}\n${out}${err}`)
  }
})
