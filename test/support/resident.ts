/**
 * A process that runs `tally` commands which it is sent, and lives on between them, so that others can look into its memory.
 * It has the directory it was started in and nothing else.
 */
import { writeHeapSnapshot } from 'node:v8'
import { main } from '../../packages/tallyd/src/main.ts'
import { testIo } from '../../packages/tallyd/src/cli/testIo.ts'

export type Order = { readonly argv: readonly string[] } | { readonly snapshot: string }

process.on('message', (order: Order) => {
  if ('snapshot' in order) {
    process.send!({ code: 0, out: writeHeapSnapshot(order.snapshot), err: '' })
    return
  }
  const io = { ...testIo({ cwd: process.cwd() }), clock: () => new Date() }
  void main(order.argv, io).then((code) => process.send!({ code, out: io.out(), err: io.err() }))
})
