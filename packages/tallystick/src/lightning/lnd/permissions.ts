/**
 * What a macaroon of lnd allows, read from the macaroon itself: go-macaroon-bakery v3 writes the operations into its identifier (a
 * protocol buffer behind a byte 3), which is not secret and needs nobody to be asked. Caveats can only take away from that.
 */
import { fromHex, fromUtf8, type Bytes } from '../../core/bytes.ts'
import { TallyError } from '../../core/errors.ts'
import * as Macaroon from '../../core/Macaroon.ts'

/** `invoices:write`; or of the entity `uri`, one method, as `uri:/lnrpc.Lightning/AddInvoice`. */
export type Permission = `${string}:${string}`

const BAKERY_V3 = 3
const OPERATIONS = 3
const ENTITY = 1
const ACTION = 2

/** Throws MACAROON_MALFORMED or ENCODING_INVALID, never with the macaroon in the message. */
export function permissionsOf(macaroonHex: string): readonly Permission[] {
  const { identifier } = Macaroon.decode(fromHex(macaroonHex.trim().toLowerCase()))
  if (identifier[0] !== BAKERY_V3) throw malformed()
  return [...fields(identifier.subarray(1))]
    .filter(({ number }) => number === OPERATIONS)
    .flatMap(({ bytes }): Permission[] => {
      const parts = [...fields(bytes)]
      const entity = parts.find(({ number }) => number === ENTITY)
      const actions = parts.filter(({ number }) => number === ACTION)
      if (!entity) throw malformed()
      return actions.map((action): Permission => `${fromUtf8(entity.bytes)}:${fromUtf8(action.bytes)}`)
    })
}

const malformed = (): TallyError => new TallyError('MACAROON_MALFORMED', 'this is no macaroon of lnd')

interface Field {
  readonly number: number
  readonly bytes: Bytes
}

/** Only fields with a length, of which there are no others here. */
function* fields(message: Bytes): Generator<Field> {
  let at = 0
  while (at < message.length) {
    const tag = message[at]!
    const length = message[at + 1]
    // Nothing lnd writes here is longer than 127 bytes but the whole list of operations of a `uri` entity.
    if ((tag & 0x87) !== 2 || length === undefined) throw malformed()
    let size = length & 0x7f
    let start = at + 2
    if (length & 0x80) {
      const more = message[start++]
      if (more === undefined || more & 0x80) throw malformed()
      size |= more << 7
    }
    if (start + size > message.length) throw malformed()
    yield { number: tag >> 3, bytes: message.subarray(start, start + size) }
    at = start + size
  }
}
