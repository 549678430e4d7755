/**
 * One LDK node: channel manager, chain monitor and peer manager. It does nothing by itself; the world moves its bytes,
 * drains its events and saves it.
 */
import type { Block, Chain } from './chain.ts'
import type { Journal } from './journal.ts'
import { check, ldk, must, raw, toHex } from './ldk.ts'
import { kvStore } from './persist.ts'

/** Sat per 1000 weight: the floor, as nothing competes for these blocks. */
const FEERATE = 253
const MONITOR_UPDATES_PER_SNAPSHOT = 100n

export class Node {
  readonly name: string
  readonly id: Uint8Array
  readonly peers: ldk.PeerManager
  readonly manager: ldk.ChannelManager
  readonly #journal: Journal
  readonly #events: ldk.EventsProvider[]
  readonly #handler: ldk.EventHandler
  readonly #listeners: ldk.Listen[]
  /** The bindings free what JavaScript forgets, also while Rust still uses it. */
  readonly #keep: unknown[] = []
  #inbox: ldk.Event[] = []
  #stale = true

  constructor(options: { name: string; seed: Uint8Array; chain: Chain; journal: Journal }) {
    const { name, chain, journal } = options
    this.name = name
    this.#journal = journal
    const logger = quietLogger()
    const fees = ldk.FeeEstimator.new_impl({ get_est_sat_per_1000_weight: () => FEERATE })
    const broadcaster = ldk.BroadcasterInterface.new_impl({
      broadcast_transactions: (txs) => {
        for (const tx of txs) chain.broadcast(tx)
      },
    })
    // The time salts LDK's entropy beside the seed, so it has to differ at every start.
    const started = process.hrtime.bigint()
    const seconds = BigInt(Math.floor(Date.now() / 1000))
    const keys = ldk.KeysManager.constructor_new(options.seed, seconds, Number(started % 1_000_000_000n))
    const entropy = keys.as_EntropySource()
    const persister = ldk.MonitorUpdatingPersister.constructor_new(
      kvStore(journal, name),
      logger,
      MONITOR_UPDATES_PER_SNAPSHOT,
      entropy,
      keys.as_SignerProvider(),
      broadcaster,
      fees,
    )
    const monitors = ldk.ChainMonitor.constructor_new(
      ldk.Option_FilterZ.constructor_none(),
      broadcaster,
      logger,
      fees,
      persister.as_Persist(),
    )
    const graph = ldk.NetworkGraph.constructor_new(ldk.Network.LDKNetwork_Regtest, logger)
    const scorer = ldk.MultiThreadedLockableScore.constructor_new(
      ldk.ProbabilisticScorer.constructor_new(
        ldk.ProbabilisticScoringDecayParameters.constructor_default(),
        graph,
        logger,
      ).as_Score(),
    )
    const router = ldk.DefaultRouter.constructor_new(
      graph,
      logger,
      entropy,
      scorer.as_LockableScore(),
      ldk.ProbabilisticScoringFeeParameters.constructor_default(),
    )
    const messages = ldk.DefaultMessageRouter.constructor_new(graph, entropy)
    const config = nodeConfig()
    this.#keep.push(
      logger,
      fees,
      broadcaster,
      keys,
      entropy,
      persister,
      monitors,
      graph,
      scorer,
      router,
      messages,
      config,
    )
    const saved = journal.get(`${name}/manager`)
    if (saved) {
      const loaded = must(
        persister.read_all_channel_monitors_with_updates(),
        ldk.Result_CVec_C2Tuple_ThirtyTwoBytesChannelMonitorZZIOErrorZ_OK,
        'reading channel monitors',
      ).map((pair) => pair.get_b())
      const read = must(
        ldk.UtilMethods.constructor_C2Tuple_ThirtyTwoBytesChannelManagerZ_read(
          saved,
          entropy,
          keys.as_NodeSigner(),
          keys.as_SignerProvider(),
          fees,
          monitors.as_Watch(),
          broadcaster,
          router.as_Router(),
          messages.as_MessageRouter(),
          logger,
          config,
          loaded,
        ),
        ldk.Result_C2Tuple_ThirtyTwoBytesChannelManagerZDecodeErrorZ_OK,
        'reading the channel manager',
      )
      this.#keep.push(loaded, read)
      this.manager = read.get_b()
      for (const monitor of loaded) {
        const height = monitor.current_best_block().get_height()
        for (const block of chain.blocks.slice(height))
          monitor.block_connected(block.header, [], block.height, broadcaster, fees, logger)
        check(monitors.as_Watch().watch_channel(monitor.get_funding_txo().get_a(), monitor), 'watching a channel')
      }
      const best = this.manager.current_best_block()
      if (toHex(best.get_block_hash()) !== toHex(chain.tip.hash))
        throw new Error(`the ${name} was saved at another block than the chain; the directory is damaged`)
    } else {
      const best = ldk.BestBlock.constructor_new(chain.tip.hash, chain.tip.height)
      this.manager = ldk.ChannelManager.constructor_new(
        fees,
        monitors.as_Watch(),
        broadcaster,
        router.as_Router(),
        messages.as_MessageRouter(),
        logger,
        entropy,
        keys.as_NodeSigner(),
        keys.as_SignerProvider(),
        config,
        ldk.ChainParameters.constructor_new(ldk.Network.LDKNetwork_Regtest, best),
        chain.tip.time,
      )
    }
    this.id = this.manager.get_our_node_id()
    const ignore = ldk.IgnoringMessageHandler.constructor_new()
    this.#keep.push(ignore)
    this.peers = ldk.PeerManager.constructor_new(
      this.manager.as_ChannelMessageHandler(),
      ignore.as_RoutingMessageHandler(),
      ignore.as_OnionMessageHandler(),
      ignore.as_CustomMessageHandler(),
      Number(seconds),
      entropy.get_secure_random_bytes(),
      logger,
      keys.as_NodeSigner(),
    )
    this.#events = [this.manager.as_EventsProvider(), monitors.as_EventsProvider()]
    this.#listeners = [this.manager.as_Listen(), monitors.as_Listen()]
    const done = ldk.Result_NoneReplayEventZ.constructor_ok()
    this.#handler = ldk.EventHandler.new_impl({
      handle_event: (event) => {
        this.#inbox.push(event)
        return done
      },
    })
  }

  connected(block: Block): void {
    for (const listener of this.#listeners) listener.block_connected(block.raw, block.height)
    this.#stale = true
  }

  disconnected(block: Block): void {
    for (const listener of this.#listeners) listener.block_disconnected(block.header, block.height)
    this.#stale = true
  }

  /** What happened since the last call. Events are acted on after LDK let go of its locks, not inside its callback. */
  drain(): ldk.Event[] {
    for (const provider of this.#events) {
      // The bindings push the handler onto this list at every call and never look at it again.
      const { ptrs_to: references } = provider as unknown as { ptrs_to: object[] }
      const kept = references.length
      provider.process_pending_events(this.#handler)
      references.length = kept
    }
    const events = this.#inbox
    this.#inbox = []
    return events
  }

  /** Puts the manager into the next batch if it changed. */
  save(): void {
    if (!this.manager.get_and_clear_needs_persistence() && !this.#stale) return
    this.#stale = false
    this.#journal.put(`${this.name}/manager`, this.manager.write())
  }

  /** Channels with `peer` over which an HTLC could be sent now. */
  usableWith(peer: Node): boolean {
    const id = toHex(peer.id)
    return this.manager.list_usable_channels().some((c) => toHex(c.get_counterparty().get_node_id()) === id)
  }
}

/** LDK logs some sixty lines per payment and node; this frees each natively instead of making an object of it. */
function quietLogger(): ldk.Logger {
  const logger = ldk.Logger.new_impl({ log: () => {} })
  ;(logger as unknown as { bindings_instance: { log: (record: bigint) => void } }).bindings_instance.log = (record) =>
    (raw as unknown as { Record_free(record: bigint): void }).Record_free(record)
  return logger
}

function nodeConfig(): ldk.UserConfig {
  const handshake = ldk.ChannelHandshakeConfig.constructor_default()
  handshake.set_minimum_depth(1)
  handshake.set_max_inbound_htlc_value_in_flight_percent_of_channel(100)
  handshake.set_our_max_accepted_htlcs(483)
  const limits = ldk.ChannelHandshakeLimits.constructor_default()
  // The accepting side refuses more than 16,777,215 sat by default, although it advertises large channels.
  limits.set_max_funding_satoshis(2_100_000_000_000_000n)
  const channel = ldk.ChannelConfig.constructor_default()
  // Prices per call are below the dust limit; the default exposure of about 2,530 sat would choke concurrency.
  channel.set_max_dust_htlc_exposure(ldk.MaxDustHTLCExposure.constructor_fixed_limit_msat(100_000_000_000n))
  channel.set_forwarding_fee_base_msat(0)
  channel.set_forwarding_fee_proportional_millionths(100)
  const config = ldk.UserConfig.constructor_default()
  config.set_channel_handshake_config(handshake)
  config.set_channel_handshake_limits(limits)
  config.set_channel_config(channel)
  // The router joins two private channels.
  config.set_accept_forwards_to_priv_channels(true)
  return config
}
