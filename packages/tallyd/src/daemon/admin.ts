/** What the operator may ask of a gateway that runs: `POST /revoke` and `POST /restrict`, as `tally token` sends them. */
import { TallyError } from 'tallystick/core'
import type { Gate } from 'tallystick/server'
import type { WalletAnswer, WalletRequest } from '../wallet/routes.ts'

export async function answerAdmin(
  gate: Pick<Gate, 'revoke' | 'restrict'>,
  { method, path, body }: WalletRequest,
): Promise<WalletAnswer> {
  try {
    const { token, link, caveats } = read(body)
    const wanted = { token, ...(link !== undefined && { link }) }
    if (method === 'POST' && path === '/revoke') {
      const { tag, link } = await gate.revoke(wanted)
      return { status: 200, body: { revoked: { link: link ?? null, tag } } }
    }
    if (method === 'POST' && path === '/restrict' && caveats.length > 0) {
      const [first] = await gate.restrict({ ...wanted, caveats })
      return { status: 200, body: { restricted: { link: first!.link ?? null, tag: first!.tag, caveats } } }
    }
    throw malformed()
  } catch (error) {
    if (TallyError.is(error)) return { status: error.status, body: error.toProblem() }
    return { status: 500, body: { type: 'about:blank', title: 'The gateway failed', status: 500 } }
  }
}

interface Wanted {
  readonly token: string
  readonly link: string | undefined
  readonly caveats: readonly string[]
}

function read(body: string): Wanted {
  const { token, link, caveats = [] } = parse(body)
  if (typeof token !== 'string' || (link !== undefined && typeof link !== 'string')) throw malformed()
  if (!Array.isArray(caveats) || !caveats.every((text) => typeof text === 'string')) throw malformed()
  return { token, link, caveats }
}

function parse(body: string): Record<string, unknown> {
  try {
    const value = JSON.parse(body) as unknown
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {}
  throw malformed()
}

const malformed = (): TallyError =>
  new TallyError(
    'REQUEST_MALFORMED',
    'admin: expected POST /revoke {token, link} or POST /restrict {token, link, caveats}',
  )
