/** `tally token inspect`: what a token says about itself, one caveat per line. */
import { Amount, Bytes, Identifier, type Macaroon } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { describe, isoSeconds, type Described } from './describe.ts'
import { exits } from './exit.ts'
import type { Style } from './style.ts'
import { columns, printable } from './table.ts'
import { relative } from './time.ts'
import { jarOption, readToken, TOKEN_NOTES, type TokenInput } from './tokenInput.ts'

const UNAUTHENTICATED =
  'Read without the issuer’s key: anybody could have written this. Only the issuer can tell (`tally token verify --key`).'

export const tokenInspect = defineCommand({
  name: 'token inspect',
  summary: 'Show what a token allows, in plain words',
  args: '[TOKEN]',
  maxArgs: 1,
  options: {
    'show-preimage': { type: 'flag', help: 'print the proof of payment too; it is as good as the money' },
    jar: jarOption,
  },
  notes: `${TOKEN_NOTES}\nA table on a terminal, JSON when piped.`,
  examples: [
    ['tally token inspect', 'the newest token bought here'],
    ['tally token inspect AgJ1bmlj…', 'a macaroon that somebody sent'],
    ['tally token inspect - < token.txt', 'from a pipe; credentials work too'],
  ],
  async run({ io, style, json, options, args }) {
    const now = io.clock()
    const token = await readToken(io, { token: args[0], jar: options.jar })
    const caveats = token.macaroon.caveats.map((caveat) => describe(caveat, now))
    const facts = factsOf(token, { now, showPreimage: options['show-preimage'] })
    if (json || !io.stdout.isTTY) await io.stdout.write(`${JSON.stringify(asJson(token, facts, caveats), null, 2)}\n`)
    else await io.stdout.write(asTable(token, facts, caveats, style))
    return exits.OK.code
  },
})

interface Facts {
  readonly location: string
  readonly paymentHash: string
  readonly tokenId: string
  readonly preimage: string
  readonly expires: Date | undefined
  readonly expiry: string
  readonly bought: string | undefined
}

function factsOf(token: TokenInput, { now, showPreimage }: { now: Date; showPreimage: boolean }): Facts {
  const { paymentHash, tokenId } = Identifier.decode(token.macaroon.identifier)
  const expires = earliestExpiry(token.macaroon)
  const { preimage, kept } = token
  const bought = kept && `${Amount.format(kept.amount)} to ${kept.origin}, ${relative(kept.at, now)}`
  return {
    location: token.macaroon.location,
    paymentHash: Bytes.toHex(paymentHash),
    tokenId: Bytes.toHex(tokenId),
    preimage: preimage ? (showPreimage ? Bytes.toHex(preimage) : 'known, hidden (--show-preimage)') : 'not here',
    expires,
    expiry: expires ? `${isoSeconds(expires)} (${relative(expires, now)})` : 'never',
    bought: bought && (kept.state === 'dead' ? `${bought}; used up or no longer honoured` : bought),
  }
}

interface Ask {
  readonly location: string
  readonly id: string
}

function asksOf({ caveats }: Macaroon.Macaroon): readonly Ask[] {
  return caveats.flatMap(({ id, vid, location = '' }) =>
    vid === undefined ? [] : [{ location, id: Buffer.from(id).toString('utf8') }],
  )
}

/** Whoever wrote the earliest time wins: all caveats must hold. */
function earliestExpiry(macaroon: Macaroon.Macaroon): Date | undefined {
  const times = macaroon.caveats.flatMap(({ id }) => {
    const match = /^(?:expires|[a-z0-9._-]+_valid_until)=([0-9]{1,12})$/.exec(Buffer.from(id).toString('latin1'))
    return match ? [Number(match[1]) * 1000] : []
  })
  return times.length > 0 ? new Date(Math.min(...times)) : undefined
}

function asJson(token: TokenInput, facts: Facts, caveats: readonly Described[]): object {
  const { kept } = token
  return {
    authenticated: false,
    location: facts.location,
    payment_hash: facts.paymentHash,
    token_id: facts.tokenId,
    preimage: facts.preimage,
    expires: facts.expires?.toISOString() ?? null,
    caveats,
    // What to send to whoever gives the discharges.
    asks: asksOf(token.macaroon),
    ...(kept && {
      bought: { origin: kept.origin, amount: Amount.format(kept.amount), at: kept.at.toISOString(), state: kept.state },
    }),
    note: UNAUTHENTICATED,
  }
}

function asTable({ macaroon }: TokenInput, facts: Facts, caveats: readonly Described[], style: Style): string {
  const head = columns([
    [style.dim('from'), printable(facts.location) || '(not said)'],
    [style.dim('payment hash'), facts.paymentHash],
    [style.dim('token id'), facts.tokenId],
    [style.dim('preimage'), facts.preimage],
    [style.dim('expires'), facts.expiry],
    ...asksOf(macaroon).map(({ location, id }) => [style.dim('asks'), printable(`${location} for ${id}`)]),
    ...(facts.bought === undefined ? [] : [[style.dim('bought'), printable(facts.bought)]]),
  ])
  const table = columns([
    [style.bold('CAVEAT'), style.bold('MEANS')],
    ...caveats.map(({ text, means, refused }) => [
      printable(text),
      refused ? style.bad(printable(means)) : printable(means),
    ]),
  ])
  return `${head}\n${table}\n${style.warn(UNAUTHENTICATED)}\n`
}
