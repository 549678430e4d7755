/**
 * The embedded network: payer, router and payee in a line, wires between them, a chain and one journal. LDK is single-threaded
 * and passive here, so one scheduler drives everything in rounds: let nodes speak, act on their events, deliver, and commit
 * before the application is told anything. Real nodes must each save before they speak to each other; these share one
 * batch, so what was not committed never happened for any of them.
 */
import { randomBytes } from 'node:crypto'
import { Chain } from './chain.ts'
import type { Desk } from './desk.ts'
import type { Reach } from './faults.ts'
import { Invoices } from './invoices.ts'
import type { Journal } from './journal.ts'
import { check, ldk, toHex } from './ldk.ts'
import { Link } from './link.ts'
import { Node } from './node.ts'
import { Payments } from './payments.ts'

const CAPACITY_SAT = 1_000_000_000n
/** So that two coinbases of 50 coins are mature. */
const FIRST_BLOCKS = 110
const CONFIRMATIONS = 3
/** One turn of the event loop, so that calls get in and finalizers run. */
const SLICE_MS = 10
const TICK_MS = 10_000
/** LDK prunes finished payments on ticks only. */
const PAYMENTS_PER_TICK = 50
/** Enough rounds for a whole commitment dance: LDK hangs up on a peer that owes an answer for two ticks. */
const ROUNDS_PER_TICK = 60

export interface WorldOptions {
  readonly journal: Journal
  readonly reach: Reach
  /** A settlement is on disk. */
  readonly settled: () => void
  /** LDK failed in a way after which it can't be trusted. */
  readonly broken: (error: unknown) => void
}

export class World {
  readonly invoices: Invoices
  readonly payments: Payments
  readonly nodes: { readonly payer: Node; readonly router: Node; readonly payee: Node }
  readonly #options: WorldOptions
  readonly #chain: Chain
  readonly #line: readonly Node[]
  #links: Link[] = []
  #skew = 0
  #outbox: (() => void)[] = []
  #idlers: (() => void)[] = []
  #running = false
  #closed = false
  #wantTick = false
  #roundsSinceTick = 0
  #timer: NodeJS.Timeout | undefined

  static async open(options: WorldOptions): Promise<World> {
    const world = new World(options)
    await world.#idle()
    world.payments.reconcile()
    await world.#openChannels()
    world.#timer = setInterval(() => world.tick(), TICK_MS)
    return world
  }

  private constructor(options: WorldOptions) {
    const { journal, reach } = options
    this.#options = options
    const blocks = journal.keys('chain/').map((key) => journal.get(key)!)
    this.#chain = new Chain({ now: () => Math.floor(this.#now() / 1000), blocks })
    this.#chain.listen({
      connected: (block) => journal.put(`chain/${String(block.height).padStart(8, '0')}`, block.raw),
      disconnected: () => {},
    })
    if (blocks.length === 0) this.#chain.mine(FIRST_BLOCKS)
    const node = (name: string): Node => new Node({ name, seed: this.#seed(name), chain: this.#chain, journal })
    this.nodes = { payer: node('payer'), router: node('router'), payee: node('payee') }
    this.#line = [this.nodes.payer, this.nodes.router, this.nodes.payee]
    for (const each of this.#line) this.#chain.listen(each)
    this.#links = this.#pairs().map(([a, b]) => new Link(a, b))
    const desk = (of: Node): Desk => ({
      node: of,
      journal,
      reach,
      now: () => this.#now(),
      afterCommit: (then) => this.afterCommit(then),
    })
    this.invoices = new Invoices(desk(this.nodes.payee), options.settled)
    this.payments = new Payments(desk(this.nodes.payer), () => this.#usable())
  }

  /** Sets the time and lets what is due happen. Comes before every call. */
  turn(skew: number): void {
    this.#skew = skew
    this.invoices.sweep()
    this.kick()
  }

  /** LDK's only clock is the newest block: makes it the present, for the timestamp of an invoice. */
  freshen(): void {
    this.#chain.freshen()
  }

  tip(): { height: number; hash: string; header: string } {
    const { height, hash, header } = this.#chain.blocks.at(-1)!
    return { height, hash: Buffer.from(hash).reverse().toString('hex'), header: header.toString('hex') }
  }

  /** Housekeeping that LDK leaves to us. */
  tick(): void {
    this.#wantTick = true
    this.invoices.sweep()
    this.kick()
  }

  afterCommit(then: () => void): void {
    this.#outbox.push(then)
    this.kick()
  }

  kick(): void {
    if (this.#running || this.#closed) return
    this.#running = true
    setImmediate(() => this.#slice())
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#idle()
    this.#closed = true
  }

  #slice(): void {
    try {
      const until = performance.now() + SLICE_MS
      let moved = true
      while (moved && performance.now() < until) moved = this.#round()
      if (!moved || this.#outbox.length > 0) this.#commit()
      if (moved) {
        setImmediate(() => this.#slice())
        return
      }
    } catch (error) {
      this.#closed = true
      this.#options.broken(error)
      return
    }
    this.#running = false
    // What was told after the commit may have asked for more.
    if (this.#outbox.length > 0) this.kick()
    else for (const resolve of this.#idlers.splice(0)) resolve()
  }

  /** True when anything moved. */
  #round(): boolean {
    let moved = false
    for (const node of this.#line) {
      node.peers.process_events()
      const events = node.drain()
      for (const event of events) this.#on(node, event)
      moved ||= events.length > 0
    }
    for (const link of this.#links) moved = link.deliver() || moved
    this.#options.reach('after-delivery')
    this.#links = this.#links.map((link) => {
      if (!link.down) return link
      moved = true
      return link.redial()
    })
    if (!moved) moved = this.payments.retry()
    return this.#tickIfCalm(!moved) || moved
  }

  #commit(): void {
    for (const node of this.#line) node.save()
    this.#options.journal.commit()
    const told = this.#outbox.splice(0)
    if (told.length > 0) this.#options.reach('before-answer')
    for (const tell of told) tell()
  }

  #tickIfCalm(idle: boolean): boolean {
    this.#roundsSinceTick++
    if (this.payments.started >= PAYMENTS_PER_TICK) this.#wantTick = true
    if (!this.#wantTick || (!idle && this.#roundsSinceTick < ROUNDS_PER_TICK)) return false
    this.#wantTick = false
    this.#roundsSinceTick = 0
    this.payments.started = 0
    for (const node of this.#line) node.manager.timer_tick_occurred()
    return true
  }

  #on(node: Node, event: ldk.Event): void {
    if (event instanceof ldk.Event_PendingHTLCsForwardable) node.manager.process_pending_htlc_forwards()
    else if (event instanceof ldk.Event_FundingGenerationReady) this.#fund(node, event)
    else if (node === this.nodes.payee) this.invoices.onEvent(event)
    else if (node === this.nodes.payer) this.payments.onEvent(event)
  }

  #fund(node: Node, event: ldk.Event_FundingGenerationReady): void {
    const tx = this.#chain.fund(event.output_script, event.channel_value_satoshis)
    check(
      node.manager.funding_transaction_generated(event.temporary_channel_id, event.counterparty_node_id, tx),
      'funding a channel',
    )
  }

  /** Opens a channel where a pair has none: at the first start, and after one was lost. */
  async #openChannels(): Promise<void> {
    const missing = this.#pairs().filter(([a, b]) => !a.usableWith(b))
    if (missing.length === 0) return
    for (const [a, b] of missing)
      check(a.manager.create_channel(b.id, CAPACITY_SAT, 0n, 0n, null, null), 'opening a channel')
    await this.#idle()
    this.#chain.mine(CONFIRMATIONS)
    // An empty tip, which may be replaced to move the clock.
    this.#chain.mine(1)
    await this.#idle()
    if (!this.#usable()) throw new Error('the channels did not become usable')
  }

  #pairs(): [Node, Node][] {
    return [
      [this.nodes.payer, this.nodes.router],
      [this.nodes.router, this.nodes.payee],
    ]
  }

  #usable(): boolean {
    return this.#pairs().every(([a, b]) => a.usableWith(b))
  }

  /** Resolves when nothing moves and everything is on disk. */
  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idlers.push(resolve)
      this.kick()
    })
  }

  #now(): number {
    return Date.now() + this.#skew
  }

  #seed(name: string): Uint8Array {
    const known = this.#options.journal.get(`${name}/seed`)
    if (known) return new Uint8Array(known)
    const seed = new Uint8Array(randomBytes(32))
    this.#options.journal.put(`${name}/seed`, seed)
    return seed
  }
}

/** Public keys of the three nodes. */
export function publicKeys(world: World): { payer: string; router: string; payee: string } {
  const { payer, router, payee } = world.nodes
  return { payer: toHex(payer.id), router: toHex(router.id), payee: toHex(payee.id) }
}
