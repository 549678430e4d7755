/** Every command shown in the pages of docs/ is run as it stands, beside a running demo, and prints what is shown. */
import { symlinkSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { assertPrints, fences, pages, steps } from '../support/pages.ts'
import { root, up, type Running } from '../support/up.ts'
import { sh, workplace } from './shell.ts'

/** Where the demo listens unless something else does; a test must start whatever else runs. */
const SHOWN = 'http://127.0.0.1:8402'

const place = workplace()
let demo: Running
before(async () => {
  // What a clone has beside `npx tally`: the examples, and the pinned Node.
  symlinkSync(path.join(root, 'examples'), path.join(place.dir, 'examples'))
  symlinkSync(process.execPath, path.join(place.dir, 'node_modules', '.bin', 'node'))
  const state = path.join(place.dir, '.tally')
  demo = await up({ state, cwd: place.dir, args: ['up', '--demo', '--port', '0'] })
})
after(async () => {
  await demo[Symbol.asyncDispose]()
  place[Symbol.dispose]()
})

describe('commands in docs/', () => {
  for (const page of pages())
    for (const fence of fences(page).filter(({ language }) => language === 'console'))
      test(fence.at, { timeout: 60_000 }, async () => {
        for (const { command, output } of steps(fence)) {
          const { out, err } = await sh(`(${command.replaceAll(SHOWN, demo.url)}) 2>&1`, place.dir)
          assertPrints(
            (out + err).replaceAll(/^npm (?:warn|notice).*\n/gm, '').replaceAll(demo.url, SHOWN),
            output,
            `${fence.at}: ${command}`,
          )
        }
      })
})
