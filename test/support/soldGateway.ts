/** What tests of gateways that share or lose their store sell, and tokens for it, made as their issuer could. */
import { request, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { Capability, Challenge, Credential, Identifier, Macaroon, type Key } from 'tallystick/core'

export const soldYaml = (options: {
  readonly upstream: string
  readonly key: string
  readonly store: string
}): string =>
  `listen: 127.0.0.1:0
lightning: sim
key: file:${options.key}
store: ${options.store}
services:
  shop:
    upstream: ${options.upstream}
    routes:
      GET /free: free
      GET /uses: { price: 1 sat, uses: 50 }
      GET /many: { price: 1 sat, uses: 100000 }
      GET /pass: { price: 1 sat, pass: 1h }
      GET /new: 1 sat
`

export interface Answered {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
  /** Of the problem, or of the reason beside a challenge. */
  readonly code: string | undefined
}

export async function get(url: string, authorization?: string): Promise<Answered> {
  const sending = request(url, { headers: authorization === undefined ? {} : { authorization }, agent: false }).end()
  const [response] = (await once(sending, 'response')) as [IncomingMessage]
  const body = Buffer.concat(await response.toArray()).toString()
  const isProblem = response.headers['content-type']?.includes('problem+json')
  const problem = isProblem ? (JSON.parse(body) as { code?: string; reason?: { code: string } }) : {}
  const code = problem.reason?.code ?? problem.code
  return { status: response.statusCode!, headers: response.headers, body, code }
}

/** The token of a 402, with the preimage that its issuer chose. */
export async function tokenFor(
  url: string,
  key: Key,
): Promise<{ readonly token: string; readonly authorization: string }> {
  const { headers } = await get(url)
  const { macaroon } = Challenge.parse(String(headers['www-authenticate']).split(/, (?=L402)/))[0]!
  const { tokenId } = Identifier.decode(Macaroon.fromBase64(macaroon).identifier)
  const preimage = Capability.preimageFor(key, tokenId)
  return { token: macaroon, authorization: Credential.format({ scheme: 'L402', macaroon, preimage }) }
}
