/** `tally fetch --token FILE`: what somebody handed on is presented to one origin, and nothing is paid. */
import { resolve } from 'node:path'
import { delegatedFetch } from 'tallystick/client'
import { Bytes, Credential, Macaroon } from 'tallystick/core'
import { readNamed } from './files.ts'
import { readHolder } from './holderKey.ts'
import type { Io } from './Io.ts'
import { readToken } from './tokenInput.ts'

export async function handedFetch(
  io: Io,
  token: string,
  options: { readonly discharge: readonly string[]; readonly holder: string | undefined },
  { origin }: URL,
): Promise<ReturnType<typeof delegatedFetch>> {
  const { macaroon, scheme, preimage } = await readToken(io, { token, jar: undefined })
  const discharges: Macaroon.Macaroon[] = []
  for (const file of options.discharge)
    discharges.push(Macaroon.fromBase64(Bytes.fromUtf8(await readNamed(resolve(io.cwd, file))).trim()))
  const holder = await readHolder(io, options.holder)
  const credential = Credential.format({ scheme, macaroon: Macaroon.toBase64(macaroon), preimage })
  return delegatedFetch({ origin, credential, discharges, clock: io.clock, ...(holder && { holder }) })
}
