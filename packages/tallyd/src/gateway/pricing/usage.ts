/**
 * Reads what was used out of a body while it passes by: the last value at a JSON pointer that is a whole number. Models
 * answer with one JSON document, or stream events of which the last, or each, has the usage so far. Nothing is changed, and
 * what cannot be read is not known: the caller charges the estimate then.
 *
 * Text is taken as latin1. What is not ASCII comes out garbled, inside of strings that nobody looks at, and no character is
 * ever cut in two where chunks meet.
 */
import { unitsOf } from '../../config/report.ts'

export interface Usage {
  push(chunk: Buffer): void
  /** There is no more. */
  end(): void
  /** As last said. */
  readonly seen: bigint | undefined
}

/** One event, or one document. */
const LARGEST = 1 << 20

/** `contentType`: as sent; undefined for one that cannot be read, and then nothing is ever seen. */
export function createUsage(contentType: string | undefined, pointer: readonly string[]): Usage {
  const type = (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase()
  if (type === 'text/event-stream') return eventUsage(pointer)
  return isJson(type) ? documentUsage(pointer) : UNREADABLE
}

export const isJson = (type: string): boolean => /^application\/(?:[a-z0-9.+-]+\+)?json$/.test(type)

const UNREADABLE: Usage = { push() {}, end() {}, seen: undefined }

function documentUsage(pointer: readonly string[]): Usage {
  let text = ''
  let tooLarge = false
  let seen: bigint | undefined
  return {
    push(chunk) {
      tooLarge ||= text.length + chunk.length > LARGEST
      text = tooLarge ? '' : text + chunk.toString('latin1')
    },
    end() {
      if (!tooLarge) seen = valueIn(text, pointer)
    },
    get seen() {
      return seen
    },
  }
}

/** Server-sent events (WHATWG HTML §9.2): lines that end with CR, LF or both; `data` lines of an event are joined. */
function eventUsage(pointer: readonly string[]): Usage {
  const last = pointer.at(-1)!
  let line = ''
  let data = ''
  /** More of this event than we keep. */
  let tooLarge = false
  let afterReturn = false
  let seen: bigint | undefined

  function take(): void {
    if (line === '') {
      // Most events are not worth parsing.
      if (!tooLarge && data.includes(last)) seen = valueIn(data, pointer) ?? seen
      data = ''
      tooLarge = false
    } else if (line.startsWith('data:')) {
      const value = line.slice(line.charCodeAt(5) === SPACE ? 6 : 5)
      data = data === '' ? value : `${data}\n${value}`
    }
    line = ''
  }

  return {
    push(chunk) {
      let from = 0
      for (let at = 0; at < chunk.length; at++) {
        const byte = chunk[at]
        if (byte === LF && afterReturn && at === from) {
          afterReturn = false
          from = at + 1
        } else if (byte === LF || byte === CR) {
          line += chunk.toString('latin1', from, at)
          take()
          from = at + 1
          afterReturn = byte === CR
        }
      }
      if (from < chunk.length) {
        afterReturn = false
        line += chunk.toString('latin1', from)
      }
      if (line.length + data.length > LARGEST) {
        tooLarge = true
        line = 'x'
        data = ''
      }
    },
    // An event without the empty line behind it never was one.
    end() {},
    get seen() {
      return seen
    },
  }
}

const CR = 13
const LF = 10
const SPACE = 32

function valueIn(text: string, pointer: readonly string[]): bigint | undefined {
  let at: unknown
  try {
    at = JSON.parse(text)
  } catch {
    return undefined
  }
  for (const name of pointer) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined
    at = (at as Record<string, unknown>)[name]
  }
  return unitsOf(at)
}
