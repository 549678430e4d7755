/**
 * Where the body goes: a file, stdout, or one JSON object. Streams, so that size does not matter, except in JSON.
 * What was paid for is never thrown away: binary that would garble a terminal is saved beside.
 */
import { constants } from 'node:fs'
import { access, open, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { STATUS_CODES } from 'node:http'
import { TallyError } from 'tallystick/core'
import { BrokenPipe, type Io } from './Io.ts'
import { writeNamed } from './files.ts'

export interface OutputOptions {
  /** `-`: stdout, also for binary on a terminal. undefined: stdout. */
  readonly output: string | undefined
  readonly include: boolean
}

/** Before money is spent: can the file be written? Throws FILE_UNAVAILABLE. */
export async function checkOutput(io: Io, output: string | undefined): Promise<void> {
  if (output === undefined || output === '-') return
  const path = resolve(io.cwd, output)
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) throw new TallyError('FILE_UNAVAILABLE', `cannot write ${path}: it is a directory`)
  try {
    await access(found ? path : dirname(path), constants.W_OK)
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'failed'
    throw new TallyError('FILE_UNAVAILABLE', `cannot write ${path}: ${reason}`, { cause })
  }
}

/** Resolves with the file written, if the body did not go to stdout. */
export async function writeResponse(
  io: Io,
  response: Response,
  { output, include }: OutputOptions,
): Promise<string | undefined> {
  const head = include ? statusAndHeaders(response) : ''
  const body = bodyOf(response)
  if (output !== undefined && output !== '-') {
    const path = resolve(io.cwd, output)
    await writeNamed(path, withHead(head, body))
    return path
  }
  if (head !== '') await io.stdout.write(head)
  const chunks = body[Symbol.asyncIterator]()
  const first = await chunks.next()
  if (first.done) return undefined
  const all = resumed(first.value, chunks)
  if (io.stdout.isTTY && output !== '-' && isBinary(first.value)) return await saveBeside(io, response.url, all)
  for await (const chunk of all) await io.stdout.write(chunk)
  return undefined
}

/** For `--json`: text as it is, other bytes in base64. */
export async function bodyAsJson(response: Response): Promise<{ body: string } | { body_base64: string }> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bodyOf(response)) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  try {
    return { body: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) }
  } catch {
    return { body_base64: bytes.toString('base64') }
  }
}

export function headersAsJson(headers: Headers): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = Object.fromEntries(headers)
  const cookies = headers.getSetCookie()
  if (cookies.length > 1) out['set-cookie'] = cookies
  return out
}

function statusAndHeaders(response: Response): string {
  const { status, headers } = response
  const reason = response.statusText || STATUS_CODES[status] || ''
  const lines = [...headers].map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${status} ${reason}`.trimEnd(), ...lines, '', ''].join('\r\n')
}

/** A connection that breaks is the server's doing, not a bug of ours. */
async function* bodyOf(response: Response): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const chunk of response.body ?? []) yield chunk
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    throw new TallyError('SERVER_UNREACHABLE', 'the answer broke off before its end', { cause })
  }
}

async function* withHead(head: string, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  if (head !== '') yield Buffer.from(head)
  yield* body
}

async function* resumed(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  yield first
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
}

/** curl's rule: text has no NUL. */
const isBinary = (chunk: Uint8Array): boolean => chunk.includes(0)

async function saveBeside(io: Io, url: string, body: AsyncIterable<Uint8Array>): Promise<string> {
  const last = URL.canParse(url) ? new URL(url).pathname.split('/').at(-1)! : ''
  const name =
    last
      .replaceAll(/[^A-Za-z0-9._-]/g, '_')
      .replace(/^[.-]+/, '')
      .slice(0, 100) || 'download'
  for (let n = 0; ; n++) {
    const path = join(io.cwd, n === 0 ? name : `${name}.${n}`)
    try {
      await using file = await open(path, 'wx')
      await file.writeFile(body)
      return path
    } catch (cause) {
      if (cause instanceof BrokenPipe || TallyError.is(cause)) throw cause
      const reason = (cause as NodeJS.ErrnoException).code
      if (reason !== 'EEXIST') throw new TallyError('FILE_UNAVAILABLE', `cannot write ${path}: ${reason}`, { cause })
    }
  }
}
