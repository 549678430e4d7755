/** `tally receipt show`: what a file says, before anything is believed. */
import { Proof, Receipt } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { readProof } from './receiptFile.ts'
import { printable } from './table.ts'

export const receiptShow = defineCommand({
  name: 'receipt show',
  summary: 'Show what a receipt says, without believing it',
  args: 'FILE',
  maxArgs: 1,
  options: {},
  notes: 'Only `tally receipt verify` checks signatures, invoice and log.',
  examples: [
    ['tally receipt show paid.receipt', 'its receipts, one by one'],
    ['tally receipt show - --json < paid.receipt', 'for scripts'],
  ],
  async run({ io, style, json, args }) {
    const { receipts, bolt11, terms, preimage } = Proof.decode(await readProof(io, args[0]))
    const said = receipts.map(({ receipt, proof }) => ({
      ...Receipt.parse(receipt.payload),
      signed_by: receipt.sigs.map(({ role, key }) => ({ role, key })),
      in_log: proof !== undefined,
    }))
    if (json) {
      const shown = said.map(({ fields, signed_by, in_log }) => ({ ...fields, signed_by, in_log }))
      const result = {
        receipts: shown,
        invoice: bolt11 ?? null,
        terms: terms ?? null,
        preimage: preimage !== undefined,
      }
      await io.stdout.write(`${JSON.stringify(result)}\n`)
      return exits.OK.code
    }
    for (const { kind, fields, signed_by } of said) {
      const { by, says } = Receipt.kinds[kind]
      await io.stdout.write(`${style.bold(kind)}: the ${by} says that ${says}\n`)
      await io.stdout.write(`${indent(JSON.stringify(fields, null, 2))}\n`)
      for (const { role, key } of signed_by) await io.stdout.write(style.dim(`  signed: ${role} ${key}\n`))
    }
    if (bolt11 !== undefined) await io.stdout.write(`${style.bold('invoice')}: ${printable(bolt11)}\n`)
    if (terms !== undefined) await io.stdout.write(`${style.bold('terms')}: ${printable(terms)}\n`)
    return exits.OK.code
  },
})

const indent = (text: string): string =>
  text
    .split('\n')
    .map((line) => `  ${printable(line)}`)
    .join('\n')
