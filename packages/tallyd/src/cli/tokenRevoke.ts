/**
 * `tally token revoke`: a token, or all that was handed on at one of its links, stops being good. By the operator of the
 * gateway; or with --as by whoever handed it on, who shows the token it was made from.
 */
import { delegatedFetch } from 'tallystick/client'
import { Credential, Macaroon, TallyError } from 'tallystick/core'
import { REVOKE_PATH } from 'tallystick/server'
import { asError, askGateway, stateOption } from './admin.ts'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import type { Io } from './Io.ts'
import { printable } from './table.ts'
import { jarOption, readToken } from './tokenInput.ts'

export const tokenRevoke = defineCommand({
  name: 'token revoke',
  summary: 'Stop a token, or what was handed on at one link of it',
  args: 'TOKEN',
  maxArgs: 1,
  options: {
    link: { type: 'value', value: 'NAME', help: 'only what was handed on to NAME, and from there' },
    as: {
      type: 'value',
      value: 'TOKEN',
      help: 'as the holder of this token, which handed it on; `last` is the newest bought',
    },
    at: { type: 'value', value: 'URL', help: 'with --as: where the gateway is (default: where it was bought)' },
    state: stateOption,
    jar: jarOption,
  },
  notes: `TOKEN is one that was handed on (for the operator any, or just a token id). Everything made from it stops as well;
what it was made from goes on. It holds from the next request on.
Without --as you are the operator, and the gateway of the nearest .tally is told; without --link the whole token stops.
With --as, the gateway checks that TOKEN was made from yours, and without --link all of TOKEN that you handed on stops.`,
  examples: [
    ['tally token revoke scout.token --as last', 'you handed it on: take it back'],
    ['tally token revoke helper.token --as scout.token --at http://127.0.0.1:8402', 'so can everybody on the way'],
    ['tally token revoke scout.token --link scout-7', 'as the operator: that link and what is below'],
    ['tally token revoke scout.token', 'as the operator: the whole token, whoever has what part of it'],
  ],
  async run({ io, json, options, args }) {
    const { link, as, at, state, jar } = options
    if (args[0] === undefined) throw new TallyError('USAGE', 'say which token: the file of one that was handed on')
    if (as === undefined && at !== undefined) throw new TallyError('USAGE', '--at goes with --as')
    const token = /^[0-9a-f]{64}$/.test(args[0]) ? args[0] : await asMacaroon(io, args[0], jar)
    const wanted = { token, ...(link !== undefined && { link }) }
    const { revoked } = (
      as === undefined
        ? await askGateway(io, state, '/v1/revoke', wanted)
        : await askAsHolder(io, { as, at, jar }, wanted)
    ) as { revoked: { link: string | null } }
    if (json) await io.stdout.write(`${JSON.stringify({ revoked })}\n`)
    else
      await io.stdout.write(
        `revoked: ${revoked.link === null ? 'the whole token' : `link ${printable(revoked.link)}`}\n`,
      )
    return exits.OK.code
  },
})

export async function asMacaroon(io: Io, token: string, jar: string | undefined): Promise<string> {
  return Macaroon.toBase64((await readToken(io, { token, jar })).macaroon)
}

async function askAsHolder(
  io: Io,
  { as, at, jar }: { as: string; at: string | undefined; jar: string | undefined },
  wanted: object,
): Promise<unknown> {
  const { macaroon, scheme, preimage, kept } = await readToken(io, { token: as, jar })
  const origin = at ?? kept?.origin
  if (origin === undefined) throw new TallyError('USAGE', 'say where the gateway is: --at http://127.0.0.1:8402')
  if (!URL.canParse(origin)) throw new TallyError('USAGE', '--at: expected a URL')
  const credential = Credential.format({ scheme, macaroon: Macaroon.toBase64(macaroon), preimage })
  const ask = delegatedFetch({ origin, credential, clock: io.clock })
  try {
    const response = await ask(new URL(REVOKE_PATH, origin), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(wanted),
    })
    const said = (await response.json()) as { code?: string; detail?: string }
    if (!response.ok) throw asError(said)
    return said
  } catch (error) {
    if (TallyError.is(error)) throw error
    const reason =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : 'no answer that it could be'
    throw new TallyError('SERVER_UNREACHABLE', `${new URL(origin).origin}: ${reason}`, { cause: error })
  }
}
