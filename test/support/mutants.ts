/**
 * Macaroons with discharges, as we mint them and then damaged: byte by byte, field by field and as a set. Half of the damage
 * is signed again afterwards, as a careless issuer would: otherwise every parser could leave the refusing to the HMAC.
 */
import { Bytes, Discharge, Macaroon } from 'tallystick/core'

const { concat, fromHex, toHex, utf8 } = Bytes

export interface Mutant {
  readonly rootKey: Bytes.Bytes
  /** The token, then its discharges. */
  readonly pieces: readonly Bytes.Bytes[]
  /** What was done to it; nothing for one as minted. */
  readonly done: readonly string[]
}

/** An integer from 0 to below `below`. */
export type Random = (below: number) => number

/** Mulberry32: a seed is a sequence. */
export function seeded(seed: number): Random {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

interface Packet {
  readonly type: number
  readonly at: number
  /** Where its data starts; an end mark has none. */
  readonly start: number
  readonly end: number
}

/** As leniently as Go reads; undefined when even that fails. */
function packetsOf(bytes: Bytes.Bytes): readonly Packet[] | undefined {
  let at = 1
  const varint = (): number => {
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = bytes[at++]
      if (byte === undefined) break
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    return NaN
  }
  const packets: Packet[] = []
  while (at < bytes.length) {
    const from = at
    const type = varint()
    const length = type === 0 ? 0 : varint()
    const packet = { type, at: from, start: at, end: at + length }
    if (!(packet.end <= bytes.length)) return undefined
    packets.push(packet)
    at = packet.end
    if (type === 6) return packets
  }
  return undefined
}

/** The chain that a lenient reader would expect of these bytes, put where the signature is. */
export function sign(bytes: Bytes.Bytes, key: Bytes.Bytes): Bytes.Bytes {
  const packets = packetsOf(bytes)
  const signature = packets?.at(-1)
  if (signature?.type !== 6 || signature.end - signature.start !== 32) return bytes
  const sections: { id?: Bytes.Bytes; vid?: Bytes.Bytes | undefined }[] = [{}]
  for (const { type, start, end } of packets!) {
    if (type === 0) sections.push({})
    if (type === 2) sections.at(-1)!.id = bytes.subarray(start, end)
    if (type === 4 && end > start) sections.at(-1)!.vid = bytes.subarray(start, end)
  }
  const [head, ...rest] = sections
  const caveats = rest.filter((one): one is Macaroon.MacaroonCaveat => one.id !== undefined)
  if (!head?.id) return bytes
  const signed = bytes.slice()
  signed.set(Macaroon.chain(Macaroon.deriveKey(key), { identifier: head.id, caveats }).at(-1)!, signature.start)
  return signed
}

const V1: Readonly<Record<number, string>> = { 1: 'cl', 2: 'cid', 4: 'vid', 6: 'signature' }

/** The older format: text lengths and names, fields of a caveat in another order. */
function asV1(bytes: Bytes.Bytes, packets: readonly Packet[]): Bytes.Bytes {
  const line = (name: string, data: Bytes.Bytes): Bytes.Bytes =>
    concat(utf8(`${(name.length + data.length + 6).toString(16).padStart(4, '0')}${name} `), data, utf8('\n'))
  const data = ({ start, end }: Packet): Bytes.Bytes => bytes.subarray(start, end)
  const head = packets.findIndex(({ type }) => type === 0)
  const [place, identifier] = [1, 2].map((wanted) => packets.slice(0, head).find(({ type }) => type === wanted))
  const out = [line('location', place ? data(place) : utf8('')), line('identifier', data(identifier ?? packets[0]!))]
  const places: Bytes.Bytes[] = []
  for (const packet of packets.slice(head)) {
    if (packet.type === 1) places.push(line('cl', data(packet)))
    else if (packet.type === 0) out.push(...places.splice(0))
    else out.push(line(V1[packet.type] ?? 'cid', data(packet)))
  }
  return concat(...out)
}

const varint = (value: number): Bytes.Bytes =>
  value < 0x80
    ? Uint8Array.of(value)
    : value < 0x4000
      ? Uint8Array.of((value & 0x7f) | 0x80, value >> 7)
      : Uint8Array.of((value & 0x7f) | 0x80, ((value >> 7) & 0x7f) | 0x80, value >> 14)
/** The same value in one byte more. */
function longer(spelled: Bytes.Bytes): Bytes.Bytes {
  const out = concat(spelled, Uint8Array.of(0))
  out[spelled.length - 1]! |= 0x80
  return out
}

type Mutate = (bytes: Bytes.Bytes, random: Random, other: Bytes.Bytes) => Bytes.Bytes
const noise = (random: Random, length: number): Bytes.Bytes => Uint8Array.from({ length }, () => random(256))
const splice = (bytes: Bytes.Bytes, from: number, to: number, ...put: readonly Bytes.Bytes[]): Bytes.Bytes =>
  concat(bytes.subarray(0, from), ...put, bytes.subarray(to))

/** One that picks a field of one of these types. */
const onField =
  (
    types: readonly number[],
    change: (bytes: Bytes.Bytes, packet: Packet, random: Random, packets: readonly Packet[]) => Bytes.Bytes,
  ): Mutate =>
  (bytes, random) => {
    const packets = packetsOf(bytes) ?? []
    const found = packets.filter(({ type }) => types.includes(type))
    return found.length === 0 ? bytes : change(bytes, found[random(found.length)]!, random, packets)
  }
const field = (type: number, data: Bytes.Bytes): Bytes.Bytes => concat(Uint8Array.of(type), varint(data.length), data)
const resized = (bytes: Bytes.Bytes, { type, at, end }: Packet, data: Bytes.Bytes): Bytes.Bytes =>
  splice(bytes, at, end, field(type, data))

const mutations: Readonly<Record<string, Mutate>> = {
  flip: (bytes, random) => {
    const out = bytes.slice()
    if (out.length > 0) out[random(out.length)]! ^= 1 << random(8)
    return out
  },
  set: (bytes, random) => {
    const out = bytes.slice()
    if (out.length > 0) out[random(out.length)] = [0, 1, 2, 4, 6, 0x7f, 0x80, 0xff][random(8)]!
    return out
  },
  insert: (bytes, random) => {
    const at = random(bytes.length + 1)
    return splice(bytes, at, at, noise(random, 1 + random(4)))
  },
  delete: (bytes, random) => {
    const at = random(bytes.length)
    return splice(bytes, at, at + 1 + random(4))
  },
  duplicate: (bytes, random) => {
    const [from, length] = [random(bytes.length), 1 + random(40)]
    return splice(bytes, from, from, bytes.subarray(from, from + length))
  },
  truncate: (bytes, random) => bytes.slice(0, random(bytes.length)),
  append: (bytes, random) =>
    concat(bytes, random(2) === 0 ? new Uint8Array(1 + random(3)) : noise(random, 1 + random(8))),
  splice: (bytes, random, other) =>
    concat(bytes.subarray(0, random(bytes.length)), other.subarray(random(other.length))),
  'spell a length longer': onField([1, 2, 4, 6], (bytes, { start, at, type, end }) =>
    splice(bytes, at, start, Uint8Array.of(type), longer(varint(end - start))),
  ),
  'spell a type longer': onField([0, 1, 2, 4, 6], (bytes, { at, type }) =>
    splice(bytes, at, at + 1, longer(varint(type))),
  ),
  'swap fields': onField([0, 1, 2, 4], (bytes, packet, _, packets) => {
    const next = packets[packets.indexOf(packet) + 1]!
    return splice(bytes, packet.at, next.end, bytes.subarray(next.at, next.end), bytes.subarray(packet.at, packet.end))
  }),
  'repeat a field': onField([0, 1, 2, 4, 6], (bytes, { at, end }) => splice(bytes, at, at, bytes.subarray(at, end))),
  'drop a field': onField([0, 1, 2, 4, 6], (bytes, { at, end }) => splice(bytes, at, end)),
  'empty a field': onField([1, 2, 4], (bytes, packet) => resized(bytes, packet, utf8(''))),
  'change a field': onField([1, 2, 4], (bytes, packet, random) =>
    resized(bytes, packet, random(2) === 0 ? utf8('ü\n') : noise(random, 1 + random(200))),
  ),
  'fill a field': onField([1, 2], (bytes, packet, random) =>
    resized(bytes, packet, utf8('x'.repeat([127, 128, 1024, 1025, 4096, 16384][random(6)]!))),
  ),
  'add a location': onField([2], (bytes, { at }, random) =>
    splice(bytes, at, at, field(1, utf8(['', 'here'][random(2)]!))),
  ),
  'add an empty vid': onField([2], (bytes, { end }) => splice(bytes, end, end, field(4, utf8('')))),
  'add caveats': onField([0], (bytes, { end }, random, packets) => {
    const head = packets.find(({ type }) => type === 0)!.end
    const count = random(4) === 0 ? 50 + random(20) : 1 + random(3)
    return end === head || random(2) === 0
      ? splice(
          bytes,
          head,
          head,
          ...Array.from({ length: count }, () => concat(field(2, utf8('a=1')), Uint8Array.of(0))),
        )
      : bytes
  }),
  'write version 1': (bytes) => {
    const packets = packetsOf(bytes)
    return packets && packets.filter(({ type }) => type === 0).length > 1 ? asV1(bytes, packets) : bytes
  },
}
const names = Object.keys(mutations)

const text = (random: Random): string => {
  const length = 1 + random([12, 40, 40, 40, 40, 40, 40, 300][random(8)]!)
  return String.fromCharCode(...Array.from({ length }, () => 0x20 + random(95)))
}

/** The third parties have one key, and few names for what they are asked: two may have the same. */
const CAVEAT_KEY = utf8('caveat key')

function minted(
  key: Bytes.Bytes,
  identifier: Bytes.Bytes,
  random: Random,
  thirds: number,
): readonly [Macaroon.Macaroon, string[]] {
  let macaroon = Macaroon.mint(key, identifier, random(3) === 0 ? '' : text(random))
  const asked: string[] = []
  const most = random(13)
  for (let i = 0; i < most && Macaroon.encode(macaroon).length < 3600; i++)
    if (random(most) < thirds) {
      const id = `third ${random(40)}`
      asked.push(id)
      const location = random(3) === 0 ? '' : 'https://auth.example'
      macaroon = Discharge.demand(macaroon, { location, id, key: CAVEAT_KEY, nonce: noise(random, 24) })
    } else macaroon = Macaroon.append(macaroon, text(random))
  return [macaroon, asked]
}

const tail = (bytes: Bytes.Bytes): Bytes.Bytes => bytes.slice(-32)
function bound(root: Bytes.Bytes, discharge: Bytes.Bytes): Bytes.Bytes {
  if (root.length < 32 || discharge.length < 32) return discharge
  const only = { location: '', identifier: utf8('i'), caveats: [], signature: tail(discharge) }
  const [tied] = Discharge.bind({ signature: tail(root) }, [only])
  return concat(discharge.subarray(0, -32), tied!.signature)
}

/** `count` of them damaged, and those as minted that come up in between. */
export function* mutants(count: number, random: Random): Generator<Mutant> {
  let other: Bytes.Bytes = utf8('')
  for (let left = count; left > 0;) {
    const done: string[] = []
    const rootKey = noise(random, 1 + random(70))
    const damaged = (bytes: Bytes.Bytes, key: Bytes.Bytes): Bytes.Bytes => {
      const times = [0, 1, 1, 1, 2, 3][random(6)]!
      let now = bytes
      for (let n = 0; n < times; n++) {
        const name = names[random(names.length)]!
        // Version 1 is signed as version 2 was, and cannot be signed again.
        if (name === 'write version 1') now = sign(now, key)
        const next = mutations[name]!(now, random, other)
        if (!Bytes.equalConstantTime(next, now)) done.push(name)
        now = next
      }
      return times > 0 && random(2) === 0 ? sign(now, key) : now
    }
    const thirds = [0, 0, 0, 1, 1, 2, 6][random(7)]!
    const [root, asked] = minted(rootKey, noise(random, 1 + random(random(4) === 0 ? 300 : 66)), random, thirds)
    const first = damaged(Macaroon.encode(root), rootKey)
    const discharges = asked.map((id) => {
      const [discharge, further] = minted(CAVEAT_KEY, utf8(id), random, random(12) === 0 ? 1 : 0)
      asked.push(...further.slice(0, 1))
      const bytes = Macaroon.encode(discharge)
      return random(8) === 0 ? damaged(bytes, CAVEAT_KEY) : bytes
    })
    for (const id of asked.slice(discharges.length))
      discharges.push(Macaroon.encode(Macaroon.mint(CAVEAT_KEY, utf8(id), '')))
    const pieces = [first, ...discharges.map((discharge) => (random(40) === 0 ? discharge : bound(first, discharge)))]
    const at = 1 + random(Math.max(1, pieces.length - 1))
    const sets = [
      ['drop a discharge', () => pieces.splice(at, 1)],
      ['repeat a discharge', () => pieces.splice(at, 0, pieces[at] ?? first)],
      ['add a discharge', () => pieces.push(Macaroon.encode(Macaroon.mint(CAVEAT_KEY, utf8('stranger'), '')))],
      ['turn discharges round', () => pieces.push(...pieces.splice(1).toReversed())],
    ] as const
    if (random(12) === 0) {
      const [name, change] = sets[random(sets.length)]!
      done.push(name)
      change()
    }
    if (done.length > 0) left--
    yield { rootKey, pieces, done }
    other = first
  }
}

/**
 * `02 0200 (61)×3 "text" …`: hex, repetitions, text as in JSON, and the signature, which is computed; `+` before a
 * discharge.
 */
export function spelled(notation: string, rootKey: Bytes.Bytes): Mutant {
  const plain = Macaroon.mint(rootKey, utf8('i'), '').signature
  const pieces = notation.split(' + ').map((piece) => {
    const hex = piece
      .replaceAll(/"[^"]*"/g, (quoted) => toHex(utf8(JSON.parse(quoted) as string)))
      .replaceAll(/\(([^)]*)\)×(\d+)/g, (_, part: string, times: string) => part.repeat(Number(times)))
      .replaceAll('…', toHex(plain))
      .replaceAll(' ', '')
    return sign(fromHex(hex), rootKey)
  })
  return { rootKey, pieces, done: ['spell'] }
}
