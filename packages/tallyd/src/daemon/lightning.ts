/** The Lightning network a config asks for, opened where its state is kept. */
import { TallyError } from 'tallystick/core'
import type { Payer, Receiver } from 'tallystick/lightning'
import { sim } from 'tallystick/lightning/sim'
import type { Config } from '../config.ts'
import type { State } from '../state.ts'
import { openNode } from '../state/node.ts'
import { fileJournal } from './journal.ts'

export interface Network extends AsyncDisposable {
  readonly kind: Config['lightning']['kind']
  readonly receiver: Receiver
  /** undefined: nobody may pay through us. */
  readonly payer: Payer | undefined
  /** What tells this node from others to gateways that share a database; undefined: nobody else reads it. */
  readonly node?: string
  /** For people: what this is, in a clause. */
  readonly about: string
}

export interface OpenLightningOptions {
  readonly config: Pick<Config, 'lightning'>
  readonly state: State
  readonly clock: () => Date
  /** Something people should read. */
  readonly onNotice: (text: string) => void
}

/** The node a config names, reached; undefined: there is none, and `openLightning` makes one. Throws NODE_UNAVAILABLE and NODE_REFUSED. */
export async function reachNode(
  { lightning }: Pick<Config, 'lightning'>,
  { env, clock }: { readonly env: NodeJS.ProcessEnv; readonly clock: () => Date },
): Promise<Network | undefined> {
  if (lightning.kind !== 'lnd' && lightning.kind !== 'phoenixd') return undefined
  const { kind, url } = lightning
  const node = await openNode(lightning, { env, clock })
  return {
    kind,
    receiver: node,
    payer: lightning.wallet ? node : undefined,
    node: `${kind} ${node.nodeId}`,
    about: `${node.network} at ${url}`,
    [Symbol.asyncDispose]: async () => node[Symbol.asyncDispose](),
  }
}

/** Makes one of worthless coins, with its state. */
export async function openLightning(options: OpenLightningOptions): Promise<Network> {
  if (options.config.lightning.kind === 'sim') return openSim(options)
  const embedded = await loadEmbedded()
  if (embedded) return await openEmbedded(embedded, options)
  options.onNotice(
    'tallystick-ldk is not installed, so Lightning is simulated: `npm i tallystick-ldk` brings the real thing',
  )
  return openSim(options)
}

type Embedded = typeof import('tallystick-ldk')

/** undefined when it, or LDK itself, is not installed: both are optional. */
async function loadEmbedded(): Promise<Embedded | undefined> {
  try {
    return await import('tallystick-ldk')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND' && isOptional((error as Error).message))
      return undefined
    throw error
  }
}

const isOptional = (message: string): boolean => /'(?:tallystick-ldk|lightningdevkit)'/.test(message)

async function openEmbedded(embedded: Embedded, { state, clock, onNotice }: OpenLightningOptions): Promise<Network> {
  const network = await embedded.openEmbedded({
    dir: state.ldk,
    clock,
    onRestart: (reason) => onNotice(`the Lightning network is started again from disk: ${reason}`),
  })
  const { receiver, payer } = network
  return {
    kind: 'embedded',
    receiver,
    payer,
    about: 'payer → router → payee, run by LDK on a chain that exists only in this process',
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  }
}

function openSim({ state, clock }: OpenLightningOptions): Network {
  const journal = fileJournal(state.sim)
  try {
    const network = sim({ clock, journal })
    return {
      kind: 'sim',
      receiver: network,
      payer: network,
      about: 'simulated: a table in this process, no nodes',
      async [Symbol.asyncDispose]() {
        await network[Symbol.asyncDispose]()
        journal[Symbol.dispose]()
      },
    }
  } catch (error) {
    journal[Symbol.dispose]()
    if (!(error instanceof SyntaxError)) throw error
    throw new TallyError('STORE_DAMAGED', `${state.sim} is damaged; move it away to start with fresh play money`, {
      cause: error,
    })
  }
}
