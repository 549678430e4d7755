/**
 * An upstream that looks like a language model with the OpenAI interface: it streams as many tokens as it is asked for, one
 * event each, and says in the last one what it used. `stream: false` answers with one JSON document.
 */
import { createServer, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

export interface Llm extends AsyncDisposable {
  readonly port: number
  /** Tokens of the calls that it answered to the end, by the `id` of the request. */
  readonly reported: ReadonlyMap<string, number>
}

interface Wanted {
  readonly id?: string
  readonly tokens: number
  readonly stream?: boolean
  /** Says what it used so far in each event. */
  readonly continuous?: boolean
  /** Stops here and says no more, until the other side goes. */
  readonly stallAfter?: number
  /** Never says what it used. */
  readonly silent?: boolean
  readonly status?: number
}

export async function llm(): Promise<Llm> {
  const reported = new Map<string, number>()
  const server = createServer((req, res) => {
    let body = ''
    req.setEncoding('utf8').on('data', (text: string) => (body += text))
    req.on('end', () => {
      const wanted = JSON.parse(body || '{"tokens":0}') as Wanted
      const { id = '', tokens, stream = true, silent = false, status = 200, stallAfter } = wanted
      if (!silent && stallAfter === undefined) reported.set(id, tokens)
      const usage = silent ? {} : { usage: { total_tokens: tokens } }
      if (stream) return void streamed(res, wanted, usage)
      res.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
      return void res.end(
        JSON.stringify({ id, choices: [{ message: { content: 'ü '.repeat(tokens > 0 ? tokens : 0) } }], ...usage }),
      )
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    reported,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function streamed(res: ServerResponse, wanted: Wanted, usage: object): Promise<void> {
  const { tokens, stallAfter = Infinity, continuous } = wanted
  res.writeHead(200, { 'content-type': 'text/event-stream' })
  const event = (value: unknown): boolean =>
    res.write(`data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`)
  for (let token = 1; token <= tokens; token++) {
    event({ choices: [{ delta: { content: 'ü ' } }], usage: continuous ? { total_tokens: token } : null })
    if (token >= stallAfter) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  event({ choices: [], ...usage })
  event('[DONE]')
  res.end()
}
