/** The examples of BOLT 11, restated in test/vectors/bolt11.json: rebuilt byte for byte, then decoded. */
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { bech32 } from '@scure/base'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fromHex, toHex, utf8 } from './bytes.ts'
import { TallyError } from './errors.ts'
import { sha256 } from './hmac.ts'
import * as Invoice from './Invoice.ts'
import { writeFeatures, writeField } from './invoice/fields.ts'
import { sign } from './invoice/signature.ts'
import { fromUint } from './invoice/words.ts'

type Field = readonly [type: string, ...values: (string | number | Hop)[]]
type Hop = readonly [node: string, channel: string, feeBase: number, feePpm: number, cltvDelta: number]

interface Vector {
  readonly name: string
  readonly prefix: string
  readonly time: number
  readonly fields: readonly Field[]
  readonly msat?: string
  readonly payee?: string
  readonly highS?: true
  readonly upper?: true
  readonly edit?: 'checksum' | 'no prefix' | 'upper LNBC'
  readonly sha256?: string
  readonly message?: string
}

const file = new URL('../../../../test/vectors/bolt11.json', import.meta.url)
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Record<'valid' | 'invalid', Vector[]> & {
  key: string
  payee: string
}

function writeVectorField([type, ...values]: Field): number[] {
  const [first, second] = values as [string, string]
  if (type === 'zeros')
    return writeField(
      first,
      Array.from({ length: Number(second) }, () => 0),
    )
  if (type === '9') return writeField('9', writeFeatures(values as number[]))
  if (type === 'x' || type === 'c') return writeField(type, fromUint(Number(first)))
  if (type === 'f') return writeField('f', [Number(first), ...bech32.toWords(fromHex(second))])
  if (type === 'r') return writeField('r', bech32.toWords(Uint8Array.from((values as Hop[]).flatMap(hopBytes))))
  return writeField(type, bech32.toWords(type === 'd' ? utf8(first) : fromHex(first)))
}

function hopBytes([node, channel, feeBase, feePpm, cltvDelta]: Hop): number[] {
  const [block, transaction, output] = channel.split('x').map(Number)
  const bytes = (value: number, length: number): number[] => [...fromHex(value.toString(16).padStart(length * 2, '0'))]
  return [
    ...fromHex(node),
    ...bytes(block!, 3),
    ...bytes(transaction!, 3),
    ...bytes(output!, 2),
    ...bytes(feeBase, 4),
    ...bytes(feePpm, 4),
    ...bytes(cltvDelta, 2),
  ]
}

function build(vector: Vector): string {
  const words = [...fromUint(vector.time, 7), ...vector.fields.flatMap(writeVectorField)]
  const plain = sign(vector.prefix, words, fromHex(vectors.key))
  const text = vector.highS ? withHighS(plain) : plain
  if (vector.edit === 'checksum') return `${text.slice(0, -1)}t`
  if (vector.edit === 'no prefix') return text.slice(vector.prefix.length + 1)
  if (vector.edit === 'upper LNBC') return `LNBC${text.slice(4)}`
  return vector.upper ? text.toUpperCase() : text
}

/** The other s of the same signature, with the recovery id left as it was. */
function withHighS(text: string): string {
  const { prefix, words } = bech32.decode(text as `${string}1${string}`, false)
  const signature = bech32.fromWords(words.slice(-104))
  const { r, s } = secp256k1.Signature.fromBytes(signature.subarray(0, 64))
  const flipped = new secp256k1.Signature(r, secp256k1.Point.Fn.ORDER - s).toBytes()
  return bech32.encode(
    prefix,
    [...words.slice(0, -104), ...bech32.toWords(Uint8Array.of(...flipped, signature[64]!))],
    false,
  )
}

/** A decoded field in the spelling of the vector file. */
function spell(invoice: Invoice.Invoice, [type]: Field): readonly (string | number)[][] {
  const hex = (bytes: Uint8Array | undefined): string[][] => (bytes ? [[toHex(bytes)]] : [])
  switch (type) {
    case 's':
      return hex(invoice.paymentSecret)
    case 'p':
      return hex(invoice.paymentHash)
    case 'h':
      return hex(invoice.descriptionHash)
    case 'm':
      return hex(invoice.metadata)
    case 'd':
      return [[invoice.description!]]
    case 'x':
      return [[(invoice.expires.getTime() - invoice.created.getTime()) / 1000]]
    case 'c':
      return [[invoice.minFinalCltv]]
    case '9':
      return [[...invoice.features]]
    case 'f':
      return invoice.fallbacks.map(({ version, program }) => [version, toHex(program)])
    default:
      return assert.fail(`no vector has field ${type}`)
  }
}

for (const vector of vectors.valid)
  test(`BOLT 11: ${vector.name}`, () => {
    const text = build(vector)
    assert.equal(toHex(sha256(utf8(text))), vector.sha256)
    const invoice = Invoice.decode(text)
    assert.equal(invoice.network, vector.prefix.startsWith('lntb') ? 'tb' : 'bc')
    assert.equal(invoice.amount, vector.msat === undefined ? undefined : BigInt(vector.msat))
    assert.equal(invoice.created.getTime(), vector.time * 1000)
    assert.equal(toHex(invoice.payee), vector.payee ?? vectors.payee)
    for (const field of vector.fields) {
      const [type, ...values] = field
      if (type !== 'r') assert.deepEqual(spell(invoice, field), [values])
      else
        assert.deepEqual(
          invoice.routes[0]!.map((hop) => [
            toHex(hop.node),
            hop.channel,
            Number(hop.feeBase),
            hop.feePpm,
            hop.cltvDelta,
          ]),
          values,
        )
    }
  })

for (const vector of vectors.invalid)
  test(`BOLT 11, invalid: ${vector.name}`, () => {
    const text = build(vector)
    if (vector.sha256) assert.equal(toHex(sha256(utf8(text))), vector.sha256)
    assert.throws(
      () => Invoice.decode(text),
      (error) => TallyError.is(error) && error.code === 'INVOICE_MALFORMED' && error.message.includes(vector.message!),
    )
  })
