/** `tally receipt verify`: offline, in any directory. Nothing but the file and what its reader chooses to believe. */
import { Amount, Bytes, Proof } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { isoSeconds } from './describe.ts'
import { exits } from './exit.ts'
import { readProof, readVerifyOptions, verifyOptions } from './receiptFile.ts'
import { columns, printable } from './table.ts'

export const receiptVerify = defineCommand({
  name: 'receipt verify',
  summary: 'Check a receipt offline: its grade, its time, and what it does not prove',
  args: 'FILE',
  maxArgs: 1,
  options: verifyOptions,
  notes: `Needs no network, no gateway and no state. Without --policy or --log-key no log is believed, so the grade is G1 at most.
Exit code 0: every check holds; the grade says how much that is worth. 1: one does not, and the error names it.`,
  examples: [
    ['tally receipt verify paid.receipt --policy policy.txt', 'by a policy of yours'],
    [
      'tally receipt verify paid.receipt --log-key shop.example/log+5e1f0a9b+AQ… --json',
      'by one log’s key, for scripts',
    ],
  ],
  async run({ io, style, json, options, args }) {
    const text = await readProof(io, args[0])
    const verdict = Proof.verify(text, await readVerifyOptions(io, options))
    if (json) await io.stdout.write(`${JSON.stringify(asJson(verdict))}\n`)
    else await io.stdout.write(asText(verdict, style))
    return exits.OK.code
  },
})

function asJson({
  grade,
  facts,
  time,
  claimed,
  notProven,
  receipts,
  invoice,
  terms,
  serviceKey,
}: Proof.Verdict): object {
  return {
    grade: grade ?? null,
    means: grade ? meaningOf(grade) : [],
    time: { not_before: time.notBefore?.toISOString() ?? null, not_after: time.notAfter?.toISOString() ?? null },
    claimed: {
      receipt: claimed.receipt.toISOString(),
      invoice: claimed.invoice?.toISOString() ?? null,
      block: claimed.block ? { ...claimed.block, earliest: claimed.block.earliest?.toISOString() ?? null } : null,
    },
    not_proven: notProven,
    service_key: serviceKey,
    payment_hash: receipts[0]!.deal,
    amount_msat: invoice?.amount === undefined ? null : `${invoice.amount}`,
    node: invoice ? Bytes.toHex(invoice.payee) : null,
    route: terms?.route ?? null,
    receipts: receipts.map(({ fields }) => fields),
    facts,
  }
}

/** The grade has all those before it. */
function meaningOf(grade: Proof.Grade): readonly string[] {
  const all = Object.entries(Proof.grades) as readonly (readonly [Proof.Grade, string])[]
  return all.slice(0, all.findIndex(([name]) => name === grade) + 1).map(([name, means]) => `${name}: ${means}`)
}

/** Only who knows the chain can say whether it has this block. */
function namedBlock({ block }: Proof.Verdict['claimed']): string | undefined {
  if (!block) return undefined
  const { height, hash, earliest } = block
  const time = earliest ? `${isoSeconds(earliest)}, if your node` : 'not known; ask whether your node'
  return `${time} has block ${height}, ${hash}; then give its header with --header`
}

/** Witnesses come first: where both say something, theirs is the earlier. */
const byWhom = ({ witnessed }: Proof.Facts): string =>
  witnessed ? 'say the witnesses' : 'by a block that you gave the header of'

interface Colours {
  readonly good: (text: string) => string
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
}

function asText(verdict: Proof.Verdict, style: Colours): string {
  const { grade, time, claimed, receipts, invoice, terms, serviceKey, notProven } = verdict
  const { notBefore, notAfter } = time
  const facts: (readonly [string, string])[] = [
    ['grade', grade ?? 'none: no invoice is in it'],
    ...(grade ? meaningOf(grade).map((means) => ['', means] as const) : []),
    ['made after', notBefore ? isoSeconds(notBefore) : (namedBlock(claimed) ?? 'not known')],
    ['logged before', notAfter ? `${isoSeconds(notAfter)}, ${byWhom(verdict.facts)}` : 'not known'],
    ['says it was', isoSeconds(claimed.receipt)],
    ['receipts', receipts.map(({ kind }) => kind).join(', ')],
    ['service key', serviceKey],
    ['payment hash', receipts[0]!.deal],
  ]
  if (invoice) facts.push(['amount', invoice.amount === undefined ? 'any' : Amount.format(invoice.amount)])
  if (invoice) facts.push(['payee’s node', Bytes.toHex(invoice.payee)])
  if (terms) facts.push(['sold', `${printable(terms.service)}: ${printable(terms.route)}`])
  const head = columns(facts.map(([name, text]) => [name === '' ? '' : style.good(name), text]))
  return `${head}${style.bold('not proven:')}\n${notProven.map((sentence) => `  - ${sentence}\n`).join('')}`
}
