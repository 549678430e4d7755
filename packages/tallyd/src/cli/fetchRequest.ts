/** From the options of `tally fetch` to a request, with curl's habits where they do no harm. */
import { resolve } from 'node:path'
import { TallyError } from 'tallystick/core'
import { readNamed, readStdin } from './files.ts'
import type { Io } from './Io.ts'

export interface RequestOptions {
  readonly request: string | undefined
  readonly header: readonly string[]
  readonly data: readonly string[]
}

export interface FetchRequest {
  readonly url: URL
  readonly method: string
  readonly headers: Headers
  readonly body: Uint8Array<ArrayBuffer> | undefined
}

export async function readFetchRequest(
  io: Io,
  address: string | undefined,
  options: RequestOptions,
): Promise<FetchRequest> {
  const url = readUrl(address)
  const headers = readHeaders(options.header)
  const body = await readData(io, options.data)
  if (body && !headers.has('content-type')) headers.set('content-type', 'application/x-www-form-urlencoded')
  const method = options.request ?? (body ? 'POST' : 'GET')
  if (!/^[A-Za-z][A-Za-z0-9-]{0,31}$/.test(method))
    throw new TallyError('USAGE', '--request: expected a method such as PUT')
  if (body && /^(?:get|head)$/i.test(method)) throw new TallyError('USAGE', `--data: a ${method} request has no body`)
  return { url, method, headers, body }
}

function readUrl(address: string | undefined): URL {
  if (address === undefined) throw new TallyError('USAGE', 'expected a URL, such as http://127.0.0.1:8402/qr/hello')
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) throw new TallyError('USAGE', 'expected an http:// or https:// URL')
  if (url.username !== '' || url.password !== '')
    throw new TallyError('USAGE', 'user and password in a URL are not sent; use -H "authorization: Basic …"')
  return url
}

function readHeaders(lines: readonly string[]): Headers {
  const headers = new Headers()
  for (const line of lines) {
    const colon = line.indexOf(':')
    try {
      if (colon < 1) throw new TypeError('no colon')
      headers.append(line.slice(0, colon), line.slice(colon + 1))
    } catch (cause) {
      // The value may be a secret; the name helps to find it.
      const name = colon > 0 ? ` in ${JSON.stringify(line.slice(0, colon))}` : ''
      throw new TallyError('USAGE', `--header: expected "name: value"${name}`, { cause })
    }
  }
  return headers
}

/** Several are joined with `&`; `@file` and `@-` are sent byte for byte. */
async function readData(io: Io, data: readonly string[]): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (data.length === 0) return undefined
  const parts: Uint8Array[] = []
  for (const text of data) {
    if (parts.length > 0) parts.push(Buffer.from('&'))
    if (text === '@-') parts.push(await readStdin(io))
    else if (text.startsWith('@')) parts.push(await readNamed(resolve(io.cwd, text.slice(1))))
    else parts.push(Buffer.from(text))
  }
  return new Uint8Array(Buffer.concat(parts))
}
