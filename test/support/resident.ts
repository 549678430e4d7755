/**
 * A process that runs `tally` commands which it is sent, and lives on between them, so that others can look into its memory.
 * It has the directory it was started in and nothing else.
 */
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { writeHeapSnapshot } from 'node:v8'
import { main } from '../../packages/tallyd/src/main.ts'
import { testIo } from '../../packages/tallyd/src/cli/testIo.ts'

export interface RawRequest {
  readonly url: string
  readonly authorization: string
  readonly localAddress?: string
}

export type Order = { readonly argv: readonly string[] } | { readonly snapshot: string } | { readonly raw: RawRequest }

/** As a client that knows nothing of us sends it: not sealed. Answers like `tally fetch --json`. */
async function send({ url, authorization, ...options }: RawRequest): Promise<void> {
  try {
    const sending = request(url, { headers: { authorization }, ...options }).end()
    const [response] = (await once(sending, 'response')) as [IncomingMessage]
    const body = Buffer.concat(await response.toArray()).toString()
    process.send!({ code: 0, out: JSON.stringify({ status: response.statusCode, body }), err: '' })
  } catch (error) {
    process.send!({ code: 1, out: '', err: String(error) })
  }
}

process.on('message', (order: Order) => {
  if ('snapshot' in order) {
    process.send!({ code: 0, out: writeHeapSnapshot(order.snapshot), err: '' })
    return
  }
  if ('raw' in order) return void send(order.raw)
  const io = { ...testIo({ cwd: process.cwd() }), clock: () => new Date() }
  void main(order.argv, io).then((code) => process.send!({ code, out: io.out(), err: io.err() }))
})
