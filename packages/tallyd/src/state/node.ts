/** The Lightning node that a config names, for the gateway and for `tally doctor`. */
import { readFileSync } from 'node:fs'
import type { Lnd } from 'tallystick/lightning/lnd'
import type { Phoenixd } from 'tallystick/lightning/phoenixd'
import { readMacaroon, readSecret, type LightningRef } from '../config.ts'
import { unavailable } from '../state.ts'

export type NodeRef = Extract<LightningRef, { url: string }>

/** Loaded when it is needed: most starts are demos. */
export async function openNode(
  ref: NodeRef,
  { env, clock }: { readonly env: NodeJS.ProcessEnv; readonly clock: () => Date },
): Promise<Lnd | Phoenixd> {
  if (ref.kind === 'lnd') {
    const { lnd } = await import('tallystick/lightning/lnd')
    const { url, macaroon, cert } = ref
    return await lnd({
      url,
      macaroon: readMacaroon(macaroon, env),
      clock,
      ...(cert !== undefined && { cert: read(cert) }),
    })
  }
  const { phoenixd } = await import('tallystick/lightning/phoenixd')
  return await phoenixd({ url: ref.url, password: readSecret(ref.password, env), clock })
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw unavailable(`cannot read the certificate ${path}`, cause)
  }
}
