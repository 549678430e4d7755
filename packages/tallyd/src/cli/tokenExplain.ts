/** `tally token explain`: how each hand that a token went through made it weaker, shown and not asserted. */
import { Capability, Explain, TallyError, type Key } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { moment } from './describe.ts'
import { exits } from './exit.ts'
import { explanationAsJson, explanationAsText } from './explanation.ts'
import { findKey, keyOption } from './issuerKey.ts'
import { readAction, requestOptions } from './requestOption.ts'
import { jarOption, readToken, TOKEN_NOTES, type TokenInput } from './tokenInput.ts'

export const tokenExplain = defineCommand({
  name: 'token explain',
  summary: 'Show how each link of a token is weaker than what came before',
  args: '[TOKEN]',
  maxArgs: 1,
  options: {
    parent: { type: 'value', value: 'TOKEN', help: 'also: compare with this one, and say whether it was made from it' },
    ...requestOptions,
    key: { ...keyOption, help: 'the issuer’s master key: then its signature and payment are checked too' },
    jar: jarOption,
  },
  notes: `${TOKEN_NOTES}
= the same, ⊂ weaker, with a request that was allowed before and is refused now, ⊥ nothing is allowed any more, ⊄ wider,
for which the whole token is refused, + one more condition. Without the key anybody could have written the token.
Exit code 1: it is refused as a whole, not within --parent, or does not allow --request.`,
  examples: [
    ['tally token explain scout.token', 'link by link'],
    ['tally token explain helper.token --parent scout.token', 'two tokens, dimension by dimension'],
    ["tally token explain scout.token --request 'GET https://api.example.com/v1/me'", 'would it allow that?'],
  ],
  async run({ io, style, json, options, args }) {
    const now = io.clock()
    const token = await readToken(io, { token: args[0], jar: options.jar })
    const parent =
      options.parent === undefined ? undefined : await readToken(io, { token: options.parent, jar: options.jar })
    const key = await findKey(io, options.key)
    const checked = key
      ? check(key, [token, ...(parent ? [parent] : [])], { named: options.key !== undefined })
      : undefined
    const { request: asked } = options
    const request = asked === undefined ? undefined : readAction({ ...options, request: asked }, token.macaroon, now)
    const more = { now, request, moment: moment(now) }
    const asRead = Explain.explain(token.macaroon, { ...more, parent: parent?.macaroon })
    const explanation = checked
      ? authenticated(Explain.explain(checked[0]!, { ...more, parent: checked[1] }), asRead)
      : asRead
    const asText = io.stdout.isTTY && !json
    await io.stdout.write(
      asText ? explanationAsText(explanation, style) : `${JSON.stringify(explanationAsJson(explanation), null, 2)}\n`,
    )
    const { refused, parent: compared, request: judged } = explanation
    const good = !refused && (compared?.within ?? true) && (judged?.allowed ?? true)
    return good ? exits.OK.code : exits.FAILED.code
  },
})

/** What was checked knows nothing of chains any more; whether one token was made from the other is read from those. */
function authenticated(checked: Explain.Explanation, { parent }: Explain.Explanation): Explain.Explanation {
  return checked.parent && parent ? { ...checked, parent: { ...checked.parent, descends: parent.descends } } : checked
}

/**
 * Undefined when they are not all genuine, or not of this key: then they are explained as text. A key that was named must
 * fit, one that merely lies here need not.
 */
function check(
  key: Key,
  tokens: readonly TokenInput[],
  { named }: { named: boolean },
): readonly Capability.Authentic[] | undefined {
  try {
    return tokens.map(({ macaroon, preimage }) => Capability.authenticate(macaroon, { key, preimage }))
  } catch (error) {
    if (!TallyError.is(error) || named) throw error
    return undefined
  }
}
