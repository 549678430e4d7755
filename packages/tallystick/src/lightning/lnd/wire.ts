/** Fields as lnd's JSON spells them: 64-bit numbers as decimal text, bytes as standard base64. Messages never quote a value. */
import { msats, type Msat } from '../../core/Amount.ts'
import { fromBase64, type Bytes } from '../../core/bytes.ts'
import { TallyError } from '../../core/errors.ts'
import { asObject, type Json } from './rest.ts'

const strange = (name: string, expected: string): TallyError =>
  new TallyError('NODE_UNAVAILABLE', `what answers is not lnd: expected ${expected} in ${name}`, {
    details: { sent: 1 },
  })

export function asText(json: Json, name: string): string {
  const value = json[name]
  if (typeof value !== 'string') throw strange(name, 'text')
  return value
}

/** An unsigned 64-bit number. */
export function asCount(json: Json, name: string): bigint {
  const text = asText(json, name)
  if (!/^(0|[1-9][0-9]{0,19})$/.test(text)) throw strange(name, 'a decimal number')
  return BigInt(text)
}

export function asMsat(json: Json, name: string): Msat {
  try {
    return msats(asCount(json, name))
  } catch (error) {
    if (TallyError.is(error) && error.code === 'NODE_UNAVAILABLE') throw error
    throw strange(name, 'an amount')
  }
}

export function fromBase64Field(json: Json, name: string, length: number): Bytes {
  let bytes: Bytes | undefined
  try {
    bytes = fromBase64(asText(json, name))
  } catch {
    // The reason would quote it.
  }
  if (bytes?.length !== length) throw strange(name, `${length} bytes in base64`)
  return bytes
}

const PREFIXES: Readonly<Record<string, string>> = { mainnet: 'bc', testnet: 'tb', signet: 'tbs', regtest: 'bcrt' }

/** The prefix of invoices, of what `getinfo` says. */
export function networkOf(info: Json): string {
  const { chains } = info
  const name = asText(asObject(Array.isArray(chains) ? chains[0] : undefined), 'network')
  const prefix = Object.hasOwn(PREFIXES, name) ? PREFIXES[name] : undefined
  if (prefix === undefined)
    throw new TallyError('NODE_UNSUPPORTED', `lnd runs on ${name.slice(0, 16)}; invoices are read for ${known}`)
  return prefix
}
const known = Object.keys(PREFIXES).join(', ')
