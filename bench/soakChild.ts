/**
 * A whole gateway in a process of its own, for the soak. argv: directory with tally.yaml. Tells its parent where it is, then
 * answers `memory` after a collection, and `reload` when the config was read again.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { loadConfig } from '../packages/tallyd/src/config.ts'
import { startDaemon } from '../packages/tallyd/src/daemon.ts'

const file = path.join(process.argv[2]!, 'tally.yaml')
const reread = async () => loadConfig(readFileSync(file, 'utf8'), file)
let troubles = 0
const daemon = await startDaemon({
  config: await reread(),
  demo: false,
  env: {},
  clock: () => new Date(),
  reread,
  onEvent: ({ type }) => void (type === 'trouble' && troubles++),
})

process.on('message', (message: 'memory' | 'reload') => {
  if (message === 'reload') return void daemon.reload().then(() => process.send!('reloaded'))
  // Twice: what the first finalises, the second frees.
  globalThis.gc!()
  globalThis.gc!()
  const { rss, heapUsed } = process.memoryUsage()
  process.send!({ rss, heapUsed, troubles })
})
process.send!({ url: daemon.url, wallet: daemon.wallet })
