import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Chain, type Block } from './chain.ts'
import { parseBlock, parseTx, seal } from './tx.ts'

const bytes = (length: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((b) => Buffer.from(b))
const upTo = (length: number): fc.Arbitrary<Buffer> => fc.uint8Array({ maxLength: length }).map((b) => Buffer.from(b))
const u32 = fc.integer({ min: 0, max: 0xffffffff })

test('transactions are read as they were written', () => {
  const tx = fc.record(
    {
      version: u32,
      locktime: u32,
      inputs: fc.array(
        fc.record(
          {
            txid: bytes(32),
            vout: u32,
            scriptSig: upTo(300),
            sequence: u32,
            witness: fc.array(upTo(80), { maxLength: 3 }),
          },
          { noNullPrototype: true },
        ),
        { minLength: 1, maxLength: 300 },
      ),
      outputs: fc.array(
        fc.record({ value: fc.bigInt({ min: 0n, max: 1n << 50n }), script: upTo(40) }, { noNullPrototype: true }),
        { maxLength: 3 },
      ),
    },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(tx, (each) => {
      const sealed = seal(each)
      assert.deepEqual(parseTx(sealed.raw), sealed)
    }),
    { numRuns: 100 },
  )
})

test('the regtest genesis block is where the chain starts, and every block points to the one before', () => {
  const chain = new Chain({ now: () => 1_800_000_000, blocks: [] })
  chain.mine(3)
  const genesis = '06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f'
  assert.equal(chain.blocks[0]!.header.subarray(4, 36).toString('hex'), genesis)
  for (const [i, block] of chain.blocks.slice(1).entries())
    assert.deepEqual(block.header.subarray(4, 36), chain.blocks[i]!.hash)
})

test('a chain read back from its blocks is the same, coins included', () => {
  const now = (): number => 1_800_000_000
  const first = new Chain({ now, blocks: [] })
  first.mine(102)
  first.broadcast(first.fund(Buffer.from([0x51]), 1_000_000_000n))
  first.mine(1)
  const second = new Chain({ now, blocks: first.blocks.map(({ raw }) => raw) })
  assert.deepEqual(second.tip, first.tip)
  // The coin of block 1 is spent; those of the next two are mature.
  const spent = parseTx(second.fund(Buffer.from([0x51]), 6_000_000_000n)).inputs
  assert.equal(spent.length, 2)
  const coinbase = parseBlock(first.blocks[0]!.raw)[0]!.txid
  assert.ok(spent.every(({ txid }) => !txid.equals(coinbase)))
  assert.throws(() => second.fund(Buffer.from([0x51]), 1n), /too few mature coins/)
})

test('freshen moves the clock at the same height, and mines only where the tip is not empty', () => {
  let time = 1_800_000_000
  const chain = new Chain({ now: () => time, blocks: [] })
  const seen: string[] = []
  const say = (what: string) => (block: Block) => void seen.push(`${what} ${block.height}`)
  chain.listen({ connected: say('+'), disconnected: say('-') })
  chain.mine(101)
  seen.length = 0
  chain.freshen()
  assert.deepEqual(seen, [])
  time += 5
  chain.freshen()
  assert.deepEqual(seen, ['- 101', '+ 101'])
  assert.equal(chain.tip.time, time)
  chain.broadcast(chain.fund(Buffer.from([0x51]), 1000n))
  time += 5
  chain.freshen()
  time += 5
  chain.freshen()
  assert.deepEqual(seen.slice(2), ['+ 102', '+ 103'])
})
