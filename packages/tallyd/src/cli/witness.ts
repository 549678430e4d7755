/** `tally witness`: signs for other people’s logs that they only grow. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { HolderKey, Note, TallyError } from 'tallystick/core'
import { createWitness } from 'tallystick/server'
import { sqliteWitness } from 'tallystick/storage/sqlite'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { readNamed, writeSecret } from './files.ts'
import { listenOption, servePlain } from './servePlain.ts'

const LISTEN = '127.0.0.1:8403'

export const witness = defineCommand({
  name: 'witness',
  summary: 'Cosign other people’s logs, so that they cannot show two histories',
  args: '',
  maxArgs: 0,
  options: {
    name: { type: 'value', value: 'NAME', help: 'in its signatures, like witness.example.com/w1' },
    log: { type: 'value', value: 'KEY', help: 'sign for this log, name+id+base64; may be repeated', many: true },
    state: { type: 'value', value: 'DIR', help: 'keep its key and what it saw here (default: ./.witness)' },
    listen: listenOption(LISTEN),
  },
  notes: `Speaks c2sp.org/tlog-witness: POST /add-checkpoint, and GET /HASH/checkpoint with what was signed last. What it signs
is on disk before it answers. Never restore its state from a backup: a witness that forgets can be made to sign two histories.
Run it where the operator of the log has no hand in it, else it proves nothing. TLS is for a proxy in front.`,
  examples: [
    ['tally witness --name witness.example.com/w1 --log KEY --listen 0.0.0.0:8403', 'for one log'],
    [
      'tally witness --name w.example/w1 --log KEY --log KEY2 --state /var/lib/witness',
      'for two, with a state of its own',
    ],
  ],
  async run({ io, json, options }) {
    const { name } = options
    if (name === undefined) throw new TallyError('USAGE', 'what is it called? Pass --name')
    if (options.log.length === 0) throw new TallyError('USAGE', 'for whom should it sign? Pass --log')
    const logs = options.log.map(Note.parseKey)
    const state = resolve(io.cwd, options.state ?? '.witness')
    await mkdir(state, { recursive: true, mode: 0o700 })
    const signer = await ownKey(join(state, 'key'))
    await using store = sqliteWitness(join(state, 'witness.db'))
    const witness = createWitness({ name, signer, logs, store, clock: io.clock })
    const vkey = Note.formatKey(witness.key)
    const about = `${vkey}\nwitnesses ${logs.map((log) => log.name).join(', ')}`
    await servePlain(io, { json, listen: options.listen ?? LISTEN, about, ready: { key: vkey } }, (request) =>
      witness.handle(request),
    )
    return exits.OK.code
  },
})

/** Made on first start. The lock on the database, taken later, keeps two from running; here the file is made whole or not. */
async function ownKey(path: string): Promise<HolderKey.HolderKey> {
  if (!existsSync(path)) await writeSecret(path, `${randomBytes(32).toString('hex')}\n`)
  return HolderKey.from(new TextDecoder().decode(await readNamed(path)))
}
