/**
 * The payee's signature over a BOLT 11 invoice: ECDSA on secp256k1 over SHA-256 of the prefix and the data, 64 bytes
 * and a recovery id. https://github.com/lightning/bolts/blob/master/11-payment-encoding.md#data-part
 */
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { bech32 } from '@scure/base'
import { concat, utf8, type Bytes } from '../bytes.ts'
import { malformed, pack, toBytes, type Words } from './words.ts'

/** 65 bytes. */
export const SIGNATURE_WORDS = 104

/** What is signed; noble takes its SHA-256 unless told otherwise. */
const message = (prefix: string, data: Words): Bytes => concat(utf8(prefix), pack(data))

/** The complete invoice text. Deterministic (RFC 6979), so equal input gives equal invoices. */
export function sign(prefix: string, data: Words, payeeKey: Bytes): string {
  // noble puts the recovery id first, BOLT 11 last.
  const signature = secp256k1.sign(message(prefix, data), payeeKey, { format: 'recovered' })
  const words = bech32.toWords(concat(signature.subarray(1), signature.subarray(0, 1)))
  return bech32.encode(prefix, [...data, ...words], false)
}

/** Whose signature it is. With `node` (field n) the signature must be that node's and low-S; without, the key is recovered. */
export function recoverPayee(prefix: string, data: Words, signatureWords: Words, node: Bytes | undefined): Bytes {
  const bytes = toBytes(signatureWords, 'the signature')
  const recovery = bytes[64]!
  if (recovery > 3) throw malformed('the recovery id is not 0 to 3')
  const signature = bytes.subarray(0, 64)
  const signed = message(prefix, data)
  if (node) {
    if (!secp256k1.verify(signature, signed, node, { lowS: true }))
      throw malformed('the signature is not that of the payee it names')
    return node
  }
  try {
    return secp256k1.recoverPublicKey(concat(bytes.subarray(64), signature), signed)
  } catch (cause) {
    throw malformed('no payee can be recovered from the signature', cause)
  }
}
