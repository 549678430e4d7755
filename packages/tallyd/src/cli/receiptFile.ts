/** Proofs of receipts on the command line: a file as `tally fetch --receipt` writes it, or `-` for stdin. */
import { resolve } from 'node:path'
import { Anchor, Bytes, LogPolicy, Note, Proof, TallyError } from 'tallystick/core'
import type { Option } from './Command.ts'
import { readNamed, readStdin } from './files.ts'
import type { Io } from './Io.ts'
import { parsePublic } from './holderKey.ts'

export async function readProof(io: Io, file: string | undefined): Promise<Uint8Array> {
  if (file === undefined) throw new TallyError('USAGE', 'expected a FILE, or - for stdin')
  const bytes = file === '-' ? await readStdin(io) : await readNamed(resolve(io.cwd, file))
  // What people edit or pipe may end in a newline; nothing else is forgiven.
  return bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes
}

export const verifyOptions = {
  policy: { type: 'value', value: 'FILE', help: 'which logs and witnesses you believe (c2sp.org/tlog-policy)' },
  'log-key': { type: 'value', value: 'KEY', help: 'instead of a policy: this log, as name+id+key, without witnesses' },
  service: { type: 'value', value: 'HEX', help: 'the key that the service signs receipts with' },
  node: { type: 'value', value: 'HEX', help: 'the public key of the payee’s node' },
  holder: { type: 'value', value: 'KEY', many: true, help: 'a holder you know, as `tally token key` prints it' },
  header: { type: 'value', value: 'HEX', many: true, help: 'a block header (80 bytes) of a chain you believe' },
  anchor: { type: 'value', value: 'FILE', help: 'an anchor of the log, for the latest time by a block (--header)' },
} as const satisfies Record<string, Option>

export interface VerifyValues {
  readonly policy: string | undefined
  readonly 'log-key': string | undefined
  readonly service: string | undefined
  readonly node: string | undefined
  readonly holder: readonly string[]
  readonly header: readonly string[]
  readonly anchor: string | undefined
}

export async function readVerifyOptions(io: Io, values: VerifyValues): Promise<Proof.VerifyOptions> {
  const { policy, service, node, holder, header, anchor } = values
  const key = values['log-key']
  if (policy !== undefined && key !== undefined) throw new TallyError('USAGE', '--log-key goes without --policy')
  return {
    policy:
      policy !== undefined
        ? LogPolicy.parse(Bytes.fromUtf8(await readNamed(resolve(io.cwd, policy))))
        : key !== undefined
          ? LogPolicy.logAlone(Note.parseKey(key))
          : undefined,
    service: hex('--service', service, 32),
    node: hex('--node', node, 33),
    holders: holder.map((text) => parsePublic('--holder', text)),
    headers: header.map((text) => hex('--header', text, 80)!),
    anchor: anchor === undefined ? undefined : Anchor.parse(Bytes.fromUtf8(await readNamed(resolve(io.cwd, anchor)))),
  }
}

function hex(option: string, text: string | undefined, bytes: number): Bytes.Bytes | undefined {
  if (text === undefined) return undefined
  if (!/^[0-9a-fA-F]+$/.test(text) || text.length !== 2 * bytes)
    throw new TallyError('USAGE', `${option}: expected ${2 * bytes} hex digits`)
  return Bytes.fromHex(text)
}
