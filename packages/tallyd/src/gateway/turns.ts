/**
 * Pipelined requests, one at a time: the second begins when the response to the first has gone. Otherwise one client
 * connection could start any number of upstream requests, and those behind the first would never learn that it left.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Line } from './client.ts'

type Begin = (req: IncomingMessage, res: ServerResponse) => void

/** More than this in one connection's queue is nobody we want to serve. */
const MOST_WAITING = 100

const waiting = Symbol('requests that wait for their turn')
/** Absent: nothing under way on this connection. */
type Client = Line & { [waiting]?: (() => void)[] | undefined }

/** `begin` must see `res` through to its `close` event, then call `next`. */
export function takeTurn(req: IncomingMessage, res: ServerResponse, begin: Begin): void {
  const socket: Client = req.socket
  const queue = socket[waiting]
  if (queue === undefined) {
    socket[waiting] = NOBODY
    begin(req, res)
  } else if (queue.length >= MOST_WAITING) {
    socket.destroy()
  } else if (queue === NOBODY) {
    socket[waiting] = [() => begin(req, res)]
  } else {
    queue.push(() => begin(req, res))
  }
}

/** The usual case allocates nothing. */
const NOBODY: (() => void)[] = []

/** Something is under way on this connection. */
export const isBusy = (socket: Client): boolean => socket[waiting] !== undefined

export function endTurn(socket: Line): void {
  const client: Client = socket
  const queue = client[waiting]
  const next = socket.destroyed ? undefined : queue?.shift()
  if (next) next()
  else client[waiting] = undefined
}
