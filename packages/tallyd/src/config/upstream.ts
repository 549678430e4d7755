/** The keys of a service that say what is behind it: where, how long it may take, how to tell that it lives, whom to believe. */
import { TallyError } from 'tallystick/core'
import * as z from 'zod'
import { text, timeout } from './text.ts'
import { parseProbePath, parseServerName, parseUpstream, type Upstream } from './values.ts'

const ORIGINS = 'expected an origin like "http://127.0.0.1:3000", or a list of them'
const MOST_UPSTREAMS = 64

/** Mistakes are reported of the whole list: positions are kept for keys. */
export const upstream = z.any().transform((value: unknown, context): readonly Upstream[] => {
  try {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value]
    if (list.length === 0 || list.length > MOST_UPSTREAMS) throw new TallyError('CONFIG_INVALID', ORIGINS)
    const upstreams = list.map((item) => {
      if (typeof item !== 'string') throw new TallyError('CONFIG_INVALID', ORIGINS)
      return parseUpstream(item)
    })
    if (new Set(upstreams.map(({ origin }) => origin)).size < upstreams.length)
      throw new TallyError('CONFIG_INVALID', 'expected each upstream once')
    return upstreams
  } catch (error) {
    if (!TallyError.is(error)) throw error
    context.issues.push({ code: 'custom', input: undefined, message: error.message })
    return z.NEVER
  }
})

export const timeouts = z.strictObject({
  connect: timeout
    .prefault('5s')
    .describe('How long a connection to an upstream may take, with its TLS handshake. Then another one is tried.'),
  first_byte: timeout
    .prefault('60s')
    .describe('How long an upstream may take for the head of its response, counted from the end of the request.'),
  idle: timeout
    .prefault('60s')
    .describe('How long there may be no byte in either direction, before the end of the request and in the response.'),
  total: timeout
    .optional()
    .describe(
      'How long all of it may take, from the request to the last byte of the response. Default: no such limit.',
    ),
})

export const health = z.strictObject({
  path: text('expected a path like "/healthz"', parseProbePath).describe(
    'Asked of every upstream with GET. A status from 200 to 399 is health; two answers in a row that are not, and the ' +
      'upstream gets no requests until one is.',
  ),
  every: timeout.prefault('5s').describe('How often. An answer that takes as long as this is none.'),
})

const FILE = 'expected the path of a PEM file'
const file = z.string({ error: FILE }).min(1, { error: FILE })

export const tls = z
  .strictObject({
    ca: file
      .optional()
      .describe('File with the certificates that may vouch for `https` upstreams, in place of those of the system.'),
    server_name: text('expected a name like "api.internal"', parseServerName)
      .optional()
      .describe('The name that is asked for and must be in the certificate, where it is not the one in `upstream`.'),
    cert: file
      .optional()
      .describe('File with the certificate that we show to upstreams that ask for one, and its chain.'),
    key: file.optional().describe('File with the private key of `cert`.'),
  })
  .check((context) => {
    const { cert, key } = context.value
    if ((cert === undefined) === (key === undefined)) return
    const path = [cert === undefined ? 'key' : 'cert']
    context.issues.push({ code: 'custom', input: undefined, path, message: 'expected `cert` and `key`, or neither' })
  })
