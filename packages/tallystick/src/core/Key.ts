/**
 * A secret of 32 bytes from which an issuer derives everything it must not store: a root key per token, preimages,
 * meter names. Deriving instead of storing is what lets a gateway redeem a paid token after it lost its database.
 * The bytes sit in a private field so that console.log, JSON and error reports cannot show them.
 */
import { fromHex, randomBytes, utf8, type Bytes } from './bytes.ts'
import { TallyError } from './errors.ts'
import { hmacWith, padsOf, type Pads } from './hmac.ts'

const purposes = new Map<string, Bytes>()

/** Kept, because labels are few and one is used for every token that is checked. */
function purpose(label: string): Bytes {
  let bytes = purposes.get(label)
  if (!bytes) purposes.set(label, (bytes = utf8(`tallystick/${label}/v1\0`)))
  return bytes
}

export class Key {
  readonly #bytes: Bytes
  readonly #pads: Pads

  private constructor(bytes: Bytes) {
    this.#bytes = bytes
    this.#pads = padsOf(bytes)
  }

  static random(): Key {
    return new Key(randomBytes(32))
  }

  /** From 64 hex digits or 32 bytes; throws KEY_INVALID otherwise. */
  static from(secret: string | Bytes): Key {
    const text = typeof secret === 'string' ? secret.trim() : undefined
    if (text !== undefined && !/^[0-9a-fA-F]{64}$/.test(text))
      throw new TallyError('KEY_INVALID', 'a key is 64 hex digits')
    const bytes = text === undefined ? Uint8Array.from(secret as Bytes) : fromHex(text)
    if (bytes.length !== 32) throw new TallyError('KEY_INVALID', `a key is 32 bytes, got ${bytes.length}`)
    return new Key(bytes)
  }

  /** HMAC-SHA256(key, "tallystick/<label>/v1" ‖ 0x00 ‖ data): 32 bytes for one purpose, useless for any other. */
  derive(label: string, data: Bytes = new Uint8Array()): Bytes {
    return hmacWith(this.#pads, data, purpose(label))
  }

  /** The one way to read the secret, for writing a key file. */
  unsafeHex(): string {
    return Array.from(this.#bytes, (b) => b.toString(16).padStart(2, '0')).join('')
  }

  toString(): string {
    return '[Key]'
  }

  toJSON(): string {
    return '[Key]'
  }
}
