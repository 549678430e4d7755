/**
 * A WebSocket: checked once, when it was opened; from then on bytes are passed on both ways as they come, and a reader that
 * is slow slows the writer. When one side goes, what it sent still arrives, and the other goes too.
 */
import type { Duplex } from 'node:stream'
import type { TallyError } from 'tallystick/core'
import { whenWritten } from './memory.ts'
import type { Connection, Sink } from './upstream/Connection.ts'
import type { ResponseHead } from './upstream/head.ts'

export interface Switching {
  /** The client's socket, which no parser reads any more. */
  readonly socket: Duplex
  /** What came right behind the request. */
  readonly early: Buffer
}

export class Tunnel implements Sink {
  /** Bytes passed to the client. */
  bytes = 0
  readonly #socket: Duplex
  readonly #connection: Connection
  readonly #onFailure: (error: TallyError) => void
  #over = false

  constructor({ socket, early }: Switching, connection: Connection, onFailure: (error: TallyError) => void) {
    this.#socket = socket
    this.#connection = connection
    this.#onFailure = onFailure
    if (early.length > 0) connection.write(early)
    socket
      .on('data', (chunk: Buffer) => {
        if (!connection.write(chunk)) socket.pause()
      })
      .on('drain', () => connection.resume())
      .on('end', () => connection.end())
      .on('close', () => this.destroy())
  }

  /** Cuts both sides. */
  destroy(): void {
    if (this.#over) return
    this.#over = true
    this.#connection.destroy()
    this.#socket.destroy()
  }

  onInformation(): void {}
  onHead(): void {}
  onSwitch(): void {}
  onWait(): void {}

  onData(chunk: Buffer, written: (() => void) | undefined): void {
    if (this.#over) return
    this.bytes += chunk.length
    if (!this.#socket.write(chunk, written ?? whenWritten(chunk))) this.#connection.pause()
  }

  onDrain(): void {
    this.#socket.resume()
  }

  onEnd(): void {
    if (!this.#over) this.#socket.end()
  }

  onFail(error: TallyError): void {
    if (this.#over) return
    this.#onFailure(error)
    this.destroy()
  }
}

/** The upstream's 101, as the client gets it. */
export function switchingHead({ headers }: ResponseHead): string {
  let lines = ''
  for (let i = 0; i < headers.length; i += 2) lines += `${headers[i]}: ${headers[i + 1]}\r\n`
  return `HTTP/1.1 101 Switching Protocols\r\n${lines}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`
}
