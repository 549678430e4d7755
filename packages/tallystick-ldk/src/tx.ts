/**
 * Just enough of Bitcoin's transaction format (BIP 141, BIP 144) to fund channels on a chain that exists only in this
 * process: build transactions that spend anyone-can-spend coins, and read the ids and inputs of those LDK broadcasts.
 */
import { createHash } from 'node:crypto'

export interface Input {
  readonly txid: Buffer
  readonly vout: number
  readonly scriptSig: Buffer
  readonly sequence: number
  readonly witness: readonly Buffer[]
}

export interface Output {
  readonly value: bigint
  readonly script: Buffer
}

export interface Tx {
  readonly version: number
  readonly locktime: number
  readonly inputs: readonly Input[]
  readonly outputs: readonly Output[]
}

/** A transaction with its ids, as found in a block or a broadcast. */
export interface SeenTx extends Tx {
  readonly raw: Buffer
  readonly txid: Buffer
  readonly wtxid: Buffer
}

export const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
export const sha256d = (bytes: Uint8Array): Buffer => sha256(sha256(bytes))
export const outpoint = (txid: Buffer, vout: number): string => `${txid.toString('hex')}:${vout}`

export function u32(value: number): Buffer {
  const out = Buffer.alloc(4)
  out.writeUInt32LE(value >>> 0)
  return out
}

function u64(value: bigint): Buffer {
  const out = Buffer.alloc(8)
  out.writeBigUInt64LE(value)
  return out
}

/** CompactSize. Nothing here is ever longer than 65,535. */
export function compact(value: number): Buffer {
  return value < 0xfd ? Buffer.from([value]) : Buffer.from([0xfd, value & 255, value >> 8])
}

const sized = (bytes: Buffer): Buffer => Buffer.concat([compact(bytes.length), bytes])

function serialise(tx: Tx, withWitness: boolean): Buffer {
  const inputs = tx.inputs.map((i) => Buffer.concat([i.txid, u32(i.vout), sized(i.scriptSig), u32(i.sequence)]))
  const outputs = tx.outputs.map((o) => Buffer.concat([u64(o.value), sized(o.script)]))
  const body = [compact(inputs.length), ...inputs, compact(outputs.length), ...outputs]
  if (!withWitness) return Buffer.concat([u32(tx.version), ...body, u32(tx.locktime)])
  const witness = tx.inputs.flatMap((i) => [compact(i.witness.length), ...i.witness.map(sized)])
  return Buffer.concat([u32(tx.version), Buffer.from([0, 1]), ...body, ...witness, u32(tx.locktime)])
}

/** Serialises with witnesses and computes both ids. */
export function seal(tx: Tx): SeenTx {
  const raw = serialise(tx, true)
  return { ...tx, raw, txid: sha256d(serialise(tx, false)), wtxid: sha256d(raw) }
}

class Reader {
  #at = 0
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get at(): number {
    return this.#at
  }

  take(length: number): Buffer {
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  u32(): number {
    return this.take(4).readUInt32LE()
  }

  compact(): number {
    const first = this.take(1)[0]!
    return first < 0xfd ? first : first === 0xfd ? this.take(2).readUInt16LE() : this.u32()
  }

  sized(): Buffer {
    return this.take(this.compact())
  }

  many<T>(read: () => T): T[] {
    return Array.from({ length: this.compact() }, read)
  }
}

function readTx(reader: Reader, bytes: Buffer): SeenTx {
  const start = reader.at
  const version = reader.u32()
  const segwit = bytes[reader.at] === 0
  if (segwit) reader.take(2)
  const bare = reader.many(() => ({
    txid: reader.take(32),
    vout: reader.u32(),
    scriptSig: reader.sized(),
    sequence: reader.u32(),
  }))
  const outputs = reader.many(() => ({ value: reader.take(8).readBigUInt64LE(), script: reader.sized() }))
  const inputs = bare.map((input) => ({ ...input, witness: segwit ? reader.many(() => reader.sized()) : [] }))
  const tx = { version, inputs, outputs, locktime: reader.u32() }
  const raw = bytes.subarray(start, reader.at)
  return { ...tx, raw, txid: sha256d(serialise(tx, false)), wtxid: sha256d(raw) }
}

export function parseTx(raw: Uint8Array): SeenTx {
  const bytes = Buffer.from(raw)
  return readTx(new Reader(bytes), bytes)
}

/** The transactions of a serialised block, coinbase first. */
export function parseBlock(raw: Buffer): SeenTx[] {
  const reader = new Reader(raw)
  reader.take(80)
  return reader.many(() => readTx(reader, raw))
}
