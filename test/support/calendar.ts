/**
 * A test double of an OpenTimestamps calendar, and of the chain behind it: `block` puts all that was submitted into a
 * block whose header it makes. test/interop/timestamps.test.ts holds it to the client of python-opentimestamps.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Bytes, Ots, sha256 } from 'tallystick/core'

export interface Calendar extends AsyncDisposable {
  readonly url: string
  /** Puts what was submitted into a block, and returns its header of 80 bytes. */
  block(options: { readonly height: number; readonly time: Date }): Bytes.Bytes
  /** Answers every request with this from now on. */
  fail(status: number | undefined): void
  /** Another address to promise than its own. */
  promise(uri: string): void
  readonly requests: readonly string[]
}

export async function startCalendar(): Promise<Calendar> {
  const waiting = new Map<string, Bytes.Bytes>()
  const mined = new Map<string, Ots.Timestamp>()
  const requests: string[] = []
  let failing: number | undefined
  let promised: string | undefined

  const server = createServer((req, res) => {
    const { method, url = '' } = req
    requests.push(`${method} ${url}`)
    const chunks: Buffer[] = []
    req
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => {
        if (failing !== undefined) return res.writeHead(failing).end()
        const known = /^\/timestamp\/([0-9a-f]+)$/.exec(url)
        if (known) {
          const found = mined.get(known[1]!)
          return found
            ? res.end(Ots.encodeBody(found))
            : res.writeHead(404).end('Pending confirmation in Bitcoin blockchain')
        }
        // A calendar mixes in something of its own before it promises.
        const own = { kind: 'append', bytes: Uint8Array.of(requests.length) } as const
        const answer = Ots.branch(Buffer.concat(chunks), own, (joined) =>
          Ots.branch(joined, { kind: 'sha256' }, (message) => {
            waiting.set(Bytes.toHex(message), message)
            return { message, attestations: [{ kind: 'pending', uri: promised ?? address }], branches: [] }
          }),
        )
        return res.end(Ots.encodeBody(answer))
      })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    url: address,
    requests,
    fail(status) {
      failing = status
    },
    promise(uri) {
      promised = uri
    },
    block({ height, time }) {
      const leaves = [...waiting.values()]
      waiting.clear()
      const root = leaves.reduce(
        (left, right) => sha256(Bytes.concat(left, right)),
        sha256(Uint8Array.of(height & 255)),
      )
      // Every leaf goes up to the same root: prepend what is left of it, hash, append what is right.
      let left = sha256(Uint8Array.of(height & 255))
      leaves.forEach((leaf, i) => {
        const before = left
        left = sha256(Bytes.concat(left, leaf))
        const up = (message: Bytes.Bytes, rest: readonly Bytes.Bytes[]): Ots.Timestamp => {
          const [next, ...others] = rest
          if (!next) return { message, attestations: [{ kind: 'bitcoin', height }], branches: [] }
          return Ots.branch(message, { kind: 'append', bytes: next }, (joined) =>
            Ots.branch(joined, { kind: 'sha256' }, (hashed) => up(hashed, others)),
          )
        }
        const proof = Ots.branch(leaf, { kind: 'prepend', bytes: before }, (joined) =>
          Ots.branch(joined, { kind: 'sha256' }, (hashed) => up(hashed, leaves.slice(i + 1))),
        )
        mined.set(Bytes.toHex(leaf), proof)
      })
      const header = new Uint8Array(80)
      header.set(root, 36)
      new DataView(header.buffer).setUint32(68, time.getTime() / 1000, true)
      return header
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
