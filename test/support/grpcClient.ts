/** A gRPC client of a few lines, for Envoy's authorisation service; one of others is in test/interop/extAuthz.test.ts. */
import { once } from 'node:events'
import http2 from 'node:http2'
import { fieldsOf, join, putBytes, putText, text } from '../../packages/tallyd/src/gateway/grpc/protobuf.ts'

const METHOD = '/envoy.service.auth.v3.Authorization/Check'

export interface Reply {
  readonly grpc: string
  /** Of a denied response, else 200; undefined without a message. */
  readonly status: number | undefined
  readonly headers: readonly (readonly [string, string])[]
  readonly removed: readonly string[]
  readonly body: string
}

export interface GrpcClient extends Disposable {
  /** Of a message with its prefix. */
  readonly call: (framed: Uint8Array, headers?: http2.OutgoingHttpHeaders) => Promise<Reply>
  readonly ask: (method: string, path: string, headers?: Record<string, string>, gate?: string) => Promise<Reply>
}

/** On one connection until it is disposed. */
export function grpcClient(port: number): GrpcClient {
  const session = http2.connect(`http://127.0.0.1:${port}`)

  async function call(framed: Uint8Array, headers: http2.OutgoingHttpHeaders = {}): Promise<Reply> {
    const stream = session.request({
      ':method': 'POST',
      ':path': METHOD,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    })
    const chunks: Buffer[] = []
    let said: http2.IncomingHttpHeaders = {}
    stream.on('response', (response) => (said = { ...said, ...response }))
    stream.on('trailers', (trailers) => (said = { ...said, ...trailers }))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', () => {})
    stream.end(framed)
    await once(stream, 'close')
    const bytes = Buffer.concat(chunks)
    return { grpc: String(said['grpc-status']), ...read(bytes.subarray(5)) }
  }

  return {
    call,
    ask: (method, path, headers = {}, gate = 'home') => call(frame(question({ method, path, headers, gate }))),
    [Symbol.dispose]: () => session.destroy(),
  }
}

export const frame = (message: Uint8Array): Buffer => {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

export function question(asked: {
  method: string
  path: string
  headers: Record<string, string>
  gate: string
}): Uint8Array {
  const entry = (number: number, key: string, value: string): Uint8Array =>
    putBytes(number, join(putText(1, key), putText(2, value)))
  const http = join(
    putText(2, asked.method),
    ...Object.entries(asked.headers).map(([key, value]) => entry(3, key, value)),
    putText(4, asked.path),
    putText(5, 'ha.example'),
  )
  const source = putBytes(1, putBytes(1, putText(2, '203.0.113.9')))
  return putBytes(1, join(putBytes(1, source), putBytes(4, putBytes(2, http)), entry(10, 'gate', asked.gate)))
}

function read(message: Uint8Array): Omit<Reply, 'grpc'> {
  const [, response] = [...fieldsOf(message)]
  if (!response) return { status: undefined, headers: [], removed: [], body: '' }
  const fields = [...fieldsOf(response.bytes)]
  const of = (number: number): Uint8Array[] =>
    fields.filter((field) => field.number === number).map(({ bytes }) => bytes)
  const headers = of(2).map((option) => {
    const [name, value] = [...fieldsOf([...fieldsOf(option)][0]!.bytes)]
    return [text(name), text(value)] as const
  })
  if (response.number === 3)
    return { status: 200, headers, removed: of(5).map((bytes) => Buffer.from(bytes).toString()), body: '' }
  const status = Number([...fieldsOf(of(1)[0]!)][0]!.value)
  return { status, headers, removed: [], body: Buffer.from(of(3)[0] ?? []).toString() }
}

export const named = ({ headers }: Reply, name: string): string[] =>
  headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value)
