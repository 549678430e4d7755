/**
 * Requests that ask for another protocol. Only a WebSocket is one we pass on; any other `Upgrade`, such as curl's h2c, is a
 * wish that a server may ignore (RFC 9110 §7.8), and is.
 */
import { ServerResponse, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

export function isWebSocket({ method, headersDistinct }: IncomingMessage): boolean {
  const [protocol, second] = headersDistinct['upgrade'] ?? []
  if (method !== 'GET' || second !== undefined || protocol?.toLowerCase() !== 'websocket') return false
  // With a body it goes the way of every other GET that has one.
  return headersDistinct['content-length'] === undefined && headersDistinct['transfer-encoding'] === undefined
}

/** node hands over the bare socket of an upgrade; this is the response it would have had, for when there is no upgrade. */
export function responseOn(req: IncomingMessage, socket: Duplex): ServerResponse {
  const res = new ServerResponse(req)
  res.shouldKeepAlive = false
  socket.on('error', () => socket.destroy()).on('drain', () => res.emit('drain'))
  res.assignSocket(socket as Socket)
  res.once('finish', () => (socket as Socket).destroySoon())
  return res
}
