/**
 * Stands between an upstream connection and an exchange, reads what the response says it used, and settles the bill before
 * the client has the end of it: `X-L402-Charged-Msat` is a header where the usage is known before the body goes out, and a
 * trailer behind a stream. A JSON document of up to a MiB is held back until it is complete, so that it is a header there.
 */
import type { TallyError } from 'tallystick/core'
import type { Settled } from 'tallystick/server'
import type { Sink } from '../upstream/Connection.ts'
import type { ResponseHead } from '../upstream/head.ts'
import type { Bill } from './bill.ts'
import { unitsOf, type Report } from '../../config/report.ts'
import { createUsage, isJson, type Usage } from './usage.ts'

/** What this needs of the exchange that it feeds. */
export interface Fed extends Sink {
  /** The response has arrived whole: its connection may already serve another request. */
  complete(): void
  pause(): void
  resume(): void
}

export interface MeteredOptions {
  readonly inner: Fed
  readonly bill: Bill
  readonly report: Report
  /** The client can be sent trailers. */
  readonly trailers: boolean
}

const CHARGED = 'X-L402-Charged-Msat'
const LEFT = 'X-L402-Left-Msat'
const MOST_HELD = 1 << 20

export function meteredSink({ inner, bill, report, trailers: canTrail }: MeteredOptions): Sink {
  let usage: Usage | undefined
  /** Events that wait: for the end of a document, or for the books. */
  let held: (() => void)[] | undefined
  let heldHead: ResponseHead | undefined
  let heldBytes = 0
  /** 5xx: the exchange gives the charge back. */
  let failed = false
  let settled: Promise<Settled | undefined> | undefined
  let addsTrailers = false

  function onHead(head: ResponseHead): void {
    failed = head.status >= 500
    if (failed) return inner.onHead(head)
    const { framing, headers } = head
    const empty = framing.kind === 'none'
    if (report.kind === 'header' || empty) {
      const units = report.kind === 'header' ? unitsOf(valueOf(headers, report.name)) : undefined
      held = []
      inner.pause()
      settled = bill.reported(units)
      return void settled.then((outcome) => {
        inner.onHead(withHeaders(head, outcome))
        letGo()
        inner.resume()
      })
    }
    const type = valueOf(headers, 'content-type')
    const coded = valueOf(headers, 'content-encoding') !== undefined
    if (report.kind === 'body') usage = createUsage(coded ? undefined : type, report.pointer)
    if (report.kind === 'body' && !coded && isJson((type ?? '').split(';', 1)[0]!.trim().toLowerCase())) {
      heldHead = head
      held = []
      return
    }
    stream(head)
  }

  /** A length would leave no room for trailers. */
  function stream(head: ResponseHead): void {
    addsTrailers = canTrail
    const headers = withoutLength(head.headers)
    inner.onHead(canTrail ? { ...head, headers: [...headers, 'Trailer', `${CHARGED}, ${LEFT}`] } : head)
  }

  function letGo(): void {
    const events = held ?? []
    held = undefined
    for (const event of events) event()
  }

  /** The document is larger than we keep. */
  function giveUpHolding(): void {
    const head = heldHead!
    heldHead = undefined
    stream(head)
    letGo()
  }

  function onEnd(last: Buffer | undefined, trailers: readonly string[]): void {
    inner.complete()
    if (failed) return inner.onEnd(last, trailers)
    if (settled) {
      if (held) return void held.push(() => inner.onEnd(last, trailers))
      return inner.onEnd(last, trailers)
    }
    if (last) usage?.push(last)
    usage?.end()
    const units = report.kind === 'trailer' ? unitsOf(valueOf(trailers, report.name)) : usage?.seen
    settled = bill.reported(units)
    return void settled.then((outcome) => {
      if (heldHead) {
        inner.onHead(withHeaders(heldHead, outcome))
        letGo()
        inner.onEnd(last, trailers)
      } else inner.onEnd(last, addsTrailers ? [...trailers, ...ours(outcome)] : trailers)
    })
  }

  return {
    onInformation: (status) => inner.onInformation(status),
    onSwitch: (...about) => inner.onSwitch(...about),
    onHead,
    onData(chunk, written) {
      if (!failed && usage) {
        usage.push(chunk)
        bill.note(usage.seen)
      }
      if (!held) return inner.onData(chunk, written)
      held.push(() => inner.onData(chunk, written))
      heldBytes += chunk.length
      if (heldHead && heldBytes > MOST_HELD) giveUpHolding()
    },
    onEnd,
    onWait() {
      if (!held) inner.onWait()
    },
    onDrain: () => inner.onDrain(),
    onFail(error: TallyError) {
      if (held && settled) held.push(() => inner.onFail(error))
      else inner.onFail(error)
    },
  }
}

const ours = (outcome: Settled | undefined): string[] =>
  outcome?.left === undefined ? [] : [CHARGED, `${outcome.charged}`, LEFT, `${outcome.left}`]

const withHeaders = (head: ResponseHead, outcome: Settled | undefined): ResponseHead => ({
  ...head,
  headers: [...head.headers, ...ours(outcome)],
})

/** undefined also where it is there twice: two readers could take it for different things. */
function valueOf(flat: readonly string[], name: string): string | undefined {
  let found: string | undefined
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i]!.toLowerCase() !== name) continue
    if (found !== undefined) return undefined
    found = flat[i + 1]!
  }
  return found
}

function withoutLength(flat: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < flat.length; i += 2)
    if (flat[i]!.toLowerCase() !== 'content-length') kept.push(flat[i]!, flat[i + 1]!)
  return kept
}
