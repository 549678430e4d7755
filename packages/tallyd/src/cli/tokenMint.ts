/**
 * `tally token mint`: a token without a sale, by the issuer, with its key and offline. It works as a bought one does, down to
 * `delegate`; no invoice belongs to it.
 */
import { Capability, Caveat, Credential, Bytes, Macaroon, sha256, TallyError } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { keyOption, readKey } from './issuerKey.ts'
import { caveatsOf, narrowingOptions } from './narrowing.ts'
import { outputOption, writeToken } from './tokenOutput.ts'
import { asUsage } from './values.ts'

export const tokenMint = defineCommand({
  name: 'token mint',
  summary: 'Give a token away, as the issuer',
  args: '',
  maxArgs: 0,
  options: {
    service: { type: 'value', value: 'NAME', many: true, help: 'service of tally.yaml that it is for' },
    key: keyOption,
    location: { type: 'value', value: 'TEXT', help: 'where it is from, for people (default: the service)' },
    ...narrowingOptions,
    output: outputOption,
  },
  notes: `Needs the master key and nothing else: the gateway honours it without having heard of it. --for is needed. What it
prints is a credential with its preimage, which opens all of it; \`tally token delegate\` makes copies for others.`,
  examples: [
    [
      "tally token mint --service qr --for 30d --path '/qr/**' --uses 100 -o tester.token",
      'a hundred calls for a tester',
    ],
    ["tally token mint --service qr --for 1d --budget '500 sat' --key issuer.key", 'with a key from elsewhere'],
  ],
  async run({ io, json, options }) {
    const { service: services } = options
    if (services.length === 0) throw new TallyError('USAGE', 'say what it is for: --service NAME')
    if (options.for === undefined) throw new TallyError('USAGE', 'say how long it is good: --for 30d')
    const key = await readKey(io, options.key)
    const named = servicesOf(services)
    const tokenId = Bytes.randomBytes(32)
    const preimage = Capability.giftFor(key, tokenId)
    const macaroon = Capability.mint(key, {
      paymentHash: sha256(preimage),
      tokenId,
      location: options.location ?? services[0]!,
      caveats: [named, Caveat.profile(), ...caveatsOf(options, io.clock())],
    })
    const text = Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(macaroon), preimage })
    const caveats = macaroon.caveats.map(({ id }) => Bytes.fromUtf8(id))
    await writeToken(io, { text, output: options.output, json, more: { token_id: Bytes.toHex(tokenId), caveats } })
    return exits.OK.code
  },
})

function servicesOf(names: readonly string[]): Caveat.Caveat {
  try {
    return Caveat.services(Object.fromEntries(names.map((name) => [name, 0])))
  } catch (error) {
    throw asUsage('--service', error)
  }
}
