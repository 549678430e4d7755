/**
 * A regtest chain that we mine ourselves: consensus-shaped blocks (proof of work at regtest difficulty, BIP 34 coinbase,
 * BIP 141 witness commitment) without a bitcoind. Coins live in P2WSH(OP_TRUE), so spending needs no signature.
 *
 * Blocks are mined to fund channels, never because time passes. Waiting therefore eats no HTLC's timelock. But LDK in WASM has
 * no clock other than the newest block header, so `freshen` moves the clock by replacing an empty tip at its own height.
 */
import { compact, outpoint, parseBlock, parseTx, seal, sha256, sha256d, u32, type SeenTx } from './tx.ts'

export interface Block {
  readonly height: number
  readonly hash: Buffer
  readonly header: Buffer
  readonly raw: Buffer
  /** Unix seconds, from the header. */
  readonly time: number
}

export interface ChainListener {
  readonly connected: (block: Block) => void
  readonly disconnected: (block: Block) => void
}

const TRUE_SCRIPT = Buffer.from([0x51])
const ANYONE = Buffer.concat([Buffer.from([0x00, 0x20]), sha256(TRUE_SCRIPT)])
const WITNESS_COMMITMENT = Buffer.from([0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed])
const BITS = 0x207fffff
const SUBSIDY = 5_000_000_000n
const MATURITY = 100
const GENESIS = {
  height: 0,
  hash: Buffer.from('06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f', 'hex'),
  time: 1_296_688_602,
}

export class Chain {
  readonly blocks: Block[] = []
  readonly #coins: { txid: Buffer; height: number; reserved: boolean }[] = []
  readonly #spent = new Set<string>()
  readonly #mempool = new Map<string, SeenTx>()
  readonly #listeners: ChainListener[] = []
  readonly #now: () => number

  /** `now` in unix seconds; `blocks` as `raw` of those mined before, from height 1. */
  constructor(options: { now: () => number; blocks: readonly Uint8Array[] }) {
    this.#now = options.now
    for (const raw of options.blocks) this.#adopt(Buffer.from(raw))
  }

  get tip(): Pick<Block, 'height' | 'hash' | 'time'> {
    return this.blocks.at(-1) ?? GENESIS
  }

  listen(listener: ChainListener): void {
    this.#listeners.push(listener)
  }

  mine(count: number): void {
    for (let i = 0; i < count; i++) {
      const height = this.blocks.length + 1
      const time = Math.max(this.#now(), this.tip.time)
      const ripe = [...this.#mempool].filter(([, tx]) => tx.locktime <= (tx.locktime < 500_000_000 ? height : time))
      for (const [id] of ripe) this.#mempool.delete(id)
      const block = this.#adopt(
        assemble(
          height,
          this.tip.hash,
          time,
          ripe.map(([, tx]) => tx),
        ),
      )
      for (const listener of this.#listeners) listener.connected(block)
    }
  }

  /** Makes the tip's time the present, if it is behind. */
  freshen(): void {
    const tip = this.blocks.at(-1)
    if (!tip || this.#now() <= tip.time) return
    const empty = tip.raw[80] === 1
    if (empty && this.#mempool.size === 0) {
      this.blocks.pop()
      this.#coins.pop()
      for (const listener of this.#listeners) listener.disconnected(tip)
    }
    this.mine(1)
  }

  broadcast(raw: Uint8Array): void {
    const tx = parseTx(raw)
    if (tx.inputs.some((i) => this.#spent.has(outpoint(i.txid, i.vout)))) return
    this.#mempool.set(tx.txid.toString('hex'), tx)
  }

  /** A final transaction paying `value` sat to `script` out of mature coinbases. */
  fund(script: Uint8Array, value: bigint): Buffer {
    const fee = 1000n
    const inputs = []
    let sum = 0n
    for (const coin of this.#coins) {
      if (sum >= value + fee) break
      const mature = this.blocks.length - coin.height >= MATURITY
      if (coin.reserved || !mature || this.#spent.has(outpoint(coin.txid, 0))) continue
      coin.reserved = true
      sum += SUBSIDY
      inputs.push({
        txid: coin.txid,
        vout: 0,
        scriptSig: Buffer.alloc(0),
        sequence: 0xfffffffd,
        witness: [TRUE_SCRIPT],
      })
    }
    if (sum < value + fee) throw new Error('the simulated chain has too few mature coins')
    const outputs = [
      { value, script: Buffer.from(script) },
      { value: sum - value - fee, script: ANYONE },
    ]
    return seal({ version: 2, locktime: 0, inputs, outputs }).raw
  }

  #adopt(raw: Buffer): Block {
    const header = raw.subarray(0, 80)
    const block = {
      height: this.blocks.length + 1,
      header,
      hash: sha256d(header),
      raw,
      time: header.readUInt32LE(68),
    }
    const [coinbase, ...rest] = parseBlock(raw)
    this.blocks.push(block)
    this.#coins.push({ txid: coinbase!.txid, height: block.height, reserved: false })
    for (const tx of rest) for (const i of tx.inputs) this.#spent.add(outpoint(i.txid, i.vout))
    return block
  }
}

function assemble(height: number, previous: Buffer, time: number, txs: readonly SeenTx[]): Buffer {
  const commitment = sha256d(Buffer.concat([merkle([Buffer.alloc(32), ...txs.map((t) => t.wtxid)]), Buffer.alloc(32)]))
  const coinbase = seal({
    version: 2,
    locktime: 0,
    inputs: [
      {
        txid: Buffer.alloc(32),
        vout: 0xffffffff,
        scriptSig: Buffer.concat([pushNumber(height), Buffer.from([0])]),
        sequence: 0xffffffff,
        witness: [Buffer.alloc(32)],
      },
    ],
    outputs: [
      { value: SUBSIDY, script: ANYONE },
      { value: 0n, script: Buffer.concat([WITNESS_COMMITMENT, commitment]) },
    ],
  })
  const root = merkle([coinbase.txid, ...txs.map((t) => t.txid)])
  const header = Buffer.concat([u32(0x20000000), previous, root, u32(time), u32(BITS), u32(0)])
  for (let nonce = 0; sha256d(header)[31]! >= 0x7f; nonce++) header.writeUInt32LE(nonce, 76)
  return Buffer.concat([header, compact(txs.length + 1), coinbase.raw, ...txs.map((t) => t.raw)])
}

function merkle(leaves: readonly Buffer[]): Buffer {
  let level = leaves
  while (level.length > 1) {
    const next: Buffer[] = []
    for (let i = 0; i < level.length; i += 2) next.push(sha256d(Buffer.concat([level[i]!, level[i + 1] ?? level[i]!])))
    level = next
  }
  return level[0]!
}

/** BIP 34: the height as a minimal script number, with its push opcode. */
function pushNumber(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; rest > 0; rest >>= 8) bytes.push(rest & 255)
  if (bytes.at(-1)! & 0x80) bytes.push(0)
  return Buffer.from([bytes.length, ...bytes])
}
