/** A wire between two nodes of this process: bytes wait in a queue until the world has committed and delivers them. */
import { check, ldk, must } from './ldk.ts'
import type { Node } from './node.ts'

interface End {
  readonly node: Node
  readonly descriptor: ldk.SocketDescriptor
  readonly inbox: Uint8Array[]
  open: boolean
  /** LDK knows that this end is closed. */
  told: boolean
}

let ids = 0n

export class Link {
  readonly #a: End
  readonly #b: End

  constructor(a: Node, b: Node) {
    this.#a = end(a, () => this.#b)
    this.#b = end(b, () => this.#a)
    const none = ldk.Option_SocketAddressZ.constructor_none()
    check(b.peers.new_inbound_connection(this.#b.descriptor, none), 'accepting a peer')
    const hello = a.peers.new_outbound_connection(b.id, this.#a.descriptor, none)
    this.#b.inbox.push(must(hello, ldk.Result_CVec_u8ZPeerHandleErrorZ_OK, 'dialling a peer'))
  }

  get waiting(): boolean {
    return this.#a.inbox.length > 0 || this.#b.inbox.length > 0
  }

  get down(): boolean {
    return !this.#a.open || !this.#b.open
  }

  /** Hands over what waited when it was called; what the nodes answer waits for the next commit. False when nothing moved. */
  deliver(): boolean {
    const batches = [this.#a, this.#b].map((to) => ({ to, chunks: to.inbox.splice(0) }))
    for (const { to, chunks } of batches) {
      for (const chunk of chunks) {
        if (!to.open) break
        if (to.node.peers.read_event(to.descriptor, chunk).is_ok()) continue
        to.told = true
        this.#hangUp()
      }
    }
    return batches.some(({ chunks }) => chunks.length > 0)
  }

  /** A new wire between the same nodes; channel_reestablish does the rest. */
  redial(): Link {
    for (const each of [this.#a, this.#b]) if (!each.told) each.node.peers.socket_disconnected(each.descriptor)
    return new Link(this.#a.node, this.#b.node)
  }

  #hangUp(): void {
    this.#a.open = this.#b.open = false
  }
}

function end(node: Node, peer: () => End): End {
  const id = ids++
  const self: End = {
    node,
    inbox: [],
    open: true,
    told: false,
    descriptor: ldk.SocketDescriptor.new_impl({
      send_data: (data) => {
        if (data.length > 0) peer().inbox.push(data)
        return data.length
      },
      disconnect_socket: () => {
        self.told = true
        self.open = peer().open = false
      },
      eq: (other) => other.hash() === id,
      hash: () => id,
    }),
  }
  return self
}
