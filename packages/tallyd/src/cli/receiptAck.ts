/** `tally receipt ack`: the buyer signs too, that it made the deal, and that it got what the receipt says was delivered. */
import { resolve } from 'node:path'
import { Bytes, Proof, Receipt, sha256, TallyError } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { readNamed, writeNamed } from './files.ts'
import { readHolder } from './holderKey.ts'
import { readProof } from './receiptFile.ts'

export const receiptAck = defineCommand({
  name: 'receipt ack',
  summary: 'Sign a receipt as its holder, and acknowledge what was delivered',
  args: 'FILE',
  maxArgs: 1,
  options: {
    holder: { type: 'value', value: 'KEY', help: 'your secret key (see `tally token key`)' },
    body: {
      type: 'value',
      value: 'FILE',
      help: 'what arrived: acknowledged only if it is what the receipt says was sent',
    },
    refuse: { type: 'flag', help: 'say that it was not what was promised' },
    note: { type: 'value', value: 'TEXT', help: 'why, in words' },
    output: { type: 'value', value: 'FILE', short: 'o', help: 'where to write it (default: over FILE)' },
  },
  notes: `Counts for others when the token was bound to this key, or when they know the key. It is evidence against you, too: that you
made this deal. Offline; hand the file to whoever should see it.`,
  examples: [
    ['tally receipt ack paid.receipt --holder me.key --body answer.svg', 'it arrived, and is what was sent'],
    ["tally receipt ack paid.receipt --holder me.key --refuse --note 'empty'", 'it was not what was promised'],
  ],
  async run({ io, json, options, args }) {
    const holder = await readHolder(io, options.holder)
    if (!holder) throw new TallyError('USAGE', '--holder is needed: nobody else can sign for you')
    const bundle = Proof.decode(await readProof(io, args[0]))
    const delivery = bundle.receipts.find(({ receipt }) => Receipt.parse(receipt.payload).kind === 'deliver')
    if (!delivery) throw new TallyError('RECEIPT_UNKNOWN', 'no delivery is in it that could be acknowledged')
    const { deal, fields } = Receipt.parse(delivery.receipt.payload)
    const { digest } = fields['result'] as { readonly digest: string }
    if (options.body !== undefined) {
      const arrived = Bytes.toHex(sha256(await readNamed(resolve(io.cwd, options.body))))
      if (arrived !== digest && !options.refuse)
        throw new TallyError('PROOF_INVALID', `what arrived is ${arrived}, and ${digest} was sent`, {
          details: { reason: 'ack' },
        })
    }
    const ack = Receipt.issue(
      'ack',
      {
        result: { alg: 'sha-256', digest },
        ok: options.refuse ? 0 : 1,
        ...(options.note !== undefined && { note: options.note }),
      },
      {
        signer: holder,
        id: Bytes.toHex(Bytes.randomBytes(16)),
        deal,
        prev: Receipt.digest(delivery.receipt),
        now: io.clock(),
      },
    )
    const [first, ...others] = bundle.receipts
    const signed = { ...first!, receipt: Receipt.countersign(first!.receipt, 'holder', holder) }
    const text = Proof.encode({ ...bundle, receipts: [signed, ...others, { receipt: ack }] })
    const file = options.output ?? args[0]!
    if (file === '-') await io.stdout.write(text)
    else await writeNamed(resolve(io.cwd, file), Bytes.utf8(text))
    if (json && file !== '-') await io.stdout.write(`${JSON.stringify({ file, ok: !options.refuse, digest })}\n`)
    return exits.OK.code
  },
})
