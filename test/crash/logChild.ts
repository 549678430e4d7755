/** A process that appends to a log as fast as it can and is killed while it does. argv: the files. Says each place at once. */
import { writeSync } from 'node:fs'
import { Bytes, HolderKey } from 'tallystick/core'
import { openLog } from 'tallystick/server'
import { logGuard, sqliteLog } from 'tallystick/storage/sqlite'

const [file, run] = process.argv.slice(2) as [string, string]
const log = await openLog({
  store: sqliteLog(`${file}.db`),
  guard: logGuard(`${file}.signed`),
  origin: 'log.example/log',
  signer: HolderKey.from('11'.repeat(32)),
})
writeSync(1, `ready ${log.size}\n`)

async function caller(name: number): Promise<never> {
  for (let count = 0; ; count++) {
    const text = `${run}.${name}.${count}`
    const { index } = await log.append(Bytes.utf8(text))
    writeSync(1, `${index} ${text}\n`)
  }
}
await Promise.all(Array.from({ length: 32 }, (_, name) => caller(name)))
