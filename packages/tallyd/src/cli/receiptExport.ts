/** `tally receipt export`: the parts as files of their own, for tools that are not ours. */
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Bytes, Proof, Receipt, TallyError } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { writeNamed } from './files.ts'
import { readProof } from './receiptFile.ts'

export const receiptExport = defineCommand({
  name: 'receipt export',
  summary: 'Write the parts of a receipt as files, for other tools',
  args: 'FILE',
  maxArgs: 1,
  options: { to: { type: 'value', value: 'DIR', help: 'where to (default: ./receipt)' } },
  notes: `Of each receipt: N-KIND.json (the signed payload), N-KIND.sigs.json, N-KIND.leaf (the entry of the log, as it is hashed) and
N-KIND.tlog-proof (c2sp.org/tlog-proof, with the checkpoint). And invoice.txt and terms.json. The preimage is left out.`,
  examples: [
    ['tally receipt export paid.receipt --to parts', 'for Go’s sumdb/tlog, @sigstore/verify, openssl'],
    ['tally receipt export - --json < paid.receipt', 'from stdin, into ./receipt'],
  ],
  async run({ io, json, options, args }) {
    const { receipts, bolt11, terms } = Proof.decode(await readProof(io, args[0]))
    const dir = resolve(io.cwd, options.to ?? 'receipt')
    const files: [string, Uint8Array][] = []
    for (const [i, { receipt, salt, proof }] of receipts.entries()) {
      const name = `${i + 1}-${Receipt.parse(receipt.payload).kind}`
      files.push([`${name}.json`, Bytes.utf8(receipt.payload)])
      files.push([`${name}.sigs.json`, Bytes.utf8(JSON.stringify(receipt.sigs))])
      if (salt) files.push([`${name}.leaf`, Receipt.leaf(receipt, salt)])
      if (proof !== undefined) files.push([`${name}.tlog-proof`, Bytes.utf8(proof)])
    }
    if (bolt11 !== undefined) files.push(['invoice.txt', Bytes.utf8(`${bolt11}\n`)])
    if (terms !== undefined) files.push(['terms.json', Bytes.utf8(terms)])
    await mkdir(dir, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
      throw new TallyError('FILE_UNAVAILABLE', `cannot make ${dir}: ${cause.code}`, { cause })
    })
    for (const [name, content] of files) await writeNamed(join(dir, name), content)
    const names = files.map(([name]) => name)
    await io.stdout.write(
      json ? `${JSON.stringify({ dir, files: names })}\n` : `${names.map((name) => join(dir, name)).join('\n')}\n`,
    )
    return exits.OK.code
  },
})
