/** The Lightning node of a config: whether it answers, and whether what we show it allows more than is needed. */
import { Amount, TallyError } from 'tallystick/core'
import type { Config } from '../config.ts'
import type { NodeRef } from '../state/node.ts'
import type { Check } from './Check.ts'
import type { Io } from './Io.ts'

const RECEIVES = ['info:read', 'invoices:read', 'invoices:write']
const PAYS = ['offchain:read', 'offchain:write']

export const isNode = (lightning: Config['lightning']): lightning is NodeRef => 'url' in lightning

export async function checkReceiver(io: Io, ref: NodeRef): Promise<Check> {
  const name = 'lightning'
  const { openNode } = await import('../state/node.ts')
  try {
    await using node = await openNode(ref, { env: io.env, clock: io.clock })
    // No invoice has this hash: what matters is that it may be asked.
    await node.lookupInvoice(new Uint8Array(32))
    const balance = ref.wallet ? `, ${Amount.format(await node.balance())} to spend` : ''
    const found = `${ref.kind} at ${ref.url}, ${node.network} ${node.nodeId.slice(0, 16)}…${balance}`
    const { excess, missing, fix } = 'maySpend' in node ? await ofPassword(node, ref) : await ofMacaroon(io, ref)
    if (missing !== '') return { name, state: 'fail', found: `${found}; ${missing}`, fix }
    if (excess !== '') return { name, state: 'warn', found: `${found}; ${excess}`, fix }
    return { name, state: 'ok', found }
  } catch (error) {
    if (!TallyError.is(error)) throw error
    return { name, state: 'fail', found: error.message, fix: error.fix }
  }
}

interface Rights {
  readonly missing: string
  readonly excess: string
  readonly fix: string
}

async function ofPassword(node: { maySpend(): Promise<boolean> }, { wallet }: NodeRef): Promise<Rights> {
  const may = await node.maySpend()
  return {
    missing: wallet && !may ? 'its password cannot pay, and `wallet` is true' : '',
    excess: !wallet && may ? 'its password can spend all that it has' : '',
    fix: `Take ${wallet ? 'http-password' : 'http-password-limited-access'} from phoenix.conf.`,
  }
}

async function ofMacaroon(io: Io, ref: NodeRef): Promise<Rights> {
  if (ref.kind !== 'lnd') throw new TypeError('expected lnd')
  const [{ readMacaroon }, { permissionsOf }] = await Promise.all([
    import('../config.ts'),
    import('tallystick/lightning/lnd'),
  ])
  const needed = ref.wallet ? [...RECEIVES, ...PAYS] : RECEIVES
  const has = permissionsOf(readMacaroon(ref.macaroon, io.env))
  // Single methods are not compared: what they come to, only lnd knows.
  const named = has.filter((one) => !one.startsWith('uri:'))
  const excess = named.filter((one) => !needed.includes(one))
  const lacks = named.length < has.length ? [] : needed.filter((one) => !has.some((allowed) => allowed === one))
  return {
    missing: lacks.length > 0 ? `its macaroon lacks ${lacks.join(', ')}` : '',
    excess: excess.length > 0 ? `its macaroon allows more than is needed: ${excess.join(', ')}` : '',
    fix: `lncli bakemacaroon --save_to tally.macaroon ${needed.join(' ')}`,
  }
}
