/** `tally token verify`: what only the issuer can do, with the master key: is it genuine, and may it make this request? */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { Amount, Bytes, Capability, Key, Path, TallyError, type Macaroon } from 'tallystick/core'
import { findState } from '../state.ts'
import { defineCommand } from './Command.ts'
import { isoSeconds } from './describe.ts'
import { exits } from './exit.ts'
import { readNamed } from './files.ts'
import type { Io } from './Io.ts'
import { columns, printable } from './table.ts'
import { jarOption, readToken, TOKEN_NOTES } from './tokenInput.ts'
import { amountOption } from './values.ts'

const METERS_NOTE = 'Whether its uses or budget are already drawn down is in the gateway’s database; this did not look.'

export const tokenVerify = defineCommand({
  name: 'token verify',
  summary: 'Check a token with the issuer’s key',
  args: '[TOKEN]',
  maxArgs: 1,
  options: {
    key: { type: 'value', value: 'FILE', help: 'the issuer’s master key (default: key in the nearest .tally)' },
    preimage: { type: 'value', value: 'HEX', help: 'proof of payment, if TOKEN is a bare macaroon' },
    request: { type: 'value', value: "'GET /path'", help: 'also: would it allow this request, now?' },
    cost: { type: 'value', value: 'AMOUNT', help: 'price of that request (default 0 sat)' },
    service: {
      type: 'value',
      value: 'NAME',
      help: 'service of that request (default: the first that the token names)',
    },
    jar: jarOption,
  },
  notes: `${TOKEN_NOTES}\nExit code 0: genuine, and allowed if --request was given. 1: not; the error says why.`,
  examples: [
    ['tally token verify', 'the newest token bought here, by the key of the gateway here'],
    ["tally token verify - --key issuer.key --request 'GET /qr/hello' --cost '10 sat' < token.txt", 'somebody else’s'],
  ],
  async run({ io, style, json, options, args }) {
    const key = await readKey(io, options.key)
    const token = await readToken(io, { token: args[0], jar: options.jar })
    const preimage = options.preimage === undefined ? token.preimage : parsePreimage(options.preimage)
    const authentic = Capability.authenticate(token.macaroon, { key, ...(preimage && { preimage }) })
    const facts: [string, string][] = [['genuine', 'made with this key, and the preimage matches']]
    const result: Record<string, unknown> = { genuine: true }
    if (options.request !== undefined) {
      const { verb, path } = parseRequest(options.request)
      const service = options.service ?? firstService(token.macaroon)
      const cost = options.cost === undefined ? Amount.ZERO : amountOption('--cost', options.cost)
      const grant = Capability.authorize(authentic, { service, verb, path, cost, now: io.clock() })
      facts.push(['allowed', `${verb} ${path} of service ${service}`])
      if (grant.expires) facts.push(['expires', isoSeconds(grant.expires)])
      if (grant.links.length > 0) facts.push(['through', grant.links.map(printable).join(' → ')])
      for (const { caveat } of grant.charges) facts.push(['draws on', caveat])
      Object.assign(result, {
        allowed: { service, verb, path },
        expires: grant.expires?.toISOString() ?? null,
        links: grant.links,
        meters: grant.charges.map(({ caveat, kind, cost, limit }) => ({
          caveat,
          kind,
          cost: `${cost}`,
          limit: `${limit}`,
        })),
      })
    }
    if (json) await io.stdout.write(`${JSON.stringify({ ...result, note: METERS_NOTE })}\n`)
    else
      await io.stdout.write(
        `${columns(facts.map(([name, text]) => [style.good(name), text]))}${style.dim(METERS_NOTE)}\n`,
      )
    return exits.OK.code
  },
})

async function readKey(io: Io, file: string | undefined): Promise<Key> {
  const path = file === undefined ? findState(io.cwd)?.key : resolve(io.cwd, file)
  if (path === undefined || (file === undefined && !existsSync(path)))
    throw new TallyError('USAGE', 'no key: name the issuer’s master key with --key FILE')
  return Key.from(Bytes.fromUtf8(await readNamed(path)))
}

/** Says nothing of what was typed: it may be a preimage with one letter too many. */
function parsePreimage(text: string): Bytes.Bytes {
  if (!/^[0-9a-fA-F]{64}$/.test(text)) throw new TallyError('USAGE', '--preimage: expected 64 hex digits')
  return Bytes.fromHex(text)
}

function parseRequest(text: string): { verb: string; path: string } {
  const match = /^([A-Z]+) (\S+)$/.exec(text)
  if (!match) throw new TallyError('USAGE', `--request: expected a method and a path, such as 'GET /qr/hello'`)
  return { verb: match[1]!, path: Path.canonicalTarget(match[2]!).path }
}

function firstService(macaroon: Macaroon.Macaroon): string {
  for (const { id } of macaroon.caveats) {
    const match = /^services=([^:,]+)/.exec(Buffer.from(id).toString('latin1'))
    if (match) return match[1]!
  }
  throw new TallyError('USAGE', 'the token names no service: say which one the request is for, with --service')
}
