/** `tally token verify`: what only the issuer can do, with the master key: is it genuine, and may it make this request? */
import { Bytes, Capability, TallyError } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { isoSeconds } from './describe.ts'
import { exits } from './exit.ts'
import { keyOption, readKey } from './issuerKey.ts'
import { readAction, requestOptions } from './requestOption.ts'
import { columns, printable } from './table.ts'
import { jarOption, readToken, TOKEN_NOTES } from './tokenInput.ts'

const METERS_NOTE =
  'Whether the payment arrived, and what is left of its uses or budget, is in the gateway’s database; this did not look.'

export const tokenVerify = defineCommand({
  name: 'token verify',
  summary: 'Check a token with the issuer’s key',
  args: '[TOKEN]',
  maxArgs: 1,
  options: {
    key: keyOption,
    preimage: { type: 'value', value: 'HEX', help: 'proof of payment, if TOKEN is a bare macaroon' },
    ...requestOptions,
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
    const facts: [string, string][] = [
      ['genuine', `made with this key, ${preimage ? 'and paid for' : 'by somebody who knew the preimage'}`],
    ]
    const result: Record<string, unknown> = { genuine: true }
    if (options.request !== undefined) {
      const action = readAction({ ...options, request: options.request }, token.macaroon, io.clock())
      const { service, verb, path } = action
      const grant = Capability.authorize(authentic, action, { settled: true })
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

/** Says nothing of what was typed: it may be a preimage with one letter too many. */
function parsePreimage(text: string): Bytes.Bytes {
  if (!/^[0-9a-fA-F]{64}$/.test(text)) throw new TallyError('USAGE', '--preimage: expected 64 hex digits')
  return Bytes.fromHex(text)
}
