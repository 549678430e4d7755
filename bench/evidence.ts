/**
 * What a request costs that shows more than a preimage, and how checking grows with the length of a chain. Everything in one
 * process, the contestants in turn and in short batches, as in verify.ts; p10 stands for a quiet core. Checking a plain
 * token of 5 caveats is in verify.ts. Also alone: `node --conditions=source bench/evidence.ts`.
 */
import {
  Capability,
  Caveat,
  Credential,
  Discharge,
  HolderKey,
  Key,
  Macaroon,
  RequestSeal,
  sats,
  sha256,
} from 'tallystick/core'
import { verifyEd25519 } from '../packages/tallyd/src/daemon/ed25519.ts'
import { createCopies } from '../packages/tallystick/src/server/copies.ts'
import { createRemembered } from '../packages/tallystick/src/server/remembered.ts'
import { median, print, type Bench, type Row } from './report.ts'

const LENGTHS = [1, 5, 10, 20, 40] as const
type Length = (typeof LENGTHS)[number]

const now = new Date('2026-11-22T12:00:00Z')
const key = Key.random()
const tokenId = new Uint8Array(32).fill(9)
const preimage = Capability.preimageFor(key, tokenId)
const paymentHash = sha256(preimage)
const action: Capability.Action = {
  service: 'search',
  verb: 'GET',
  path: '/v1/search/macaroons',
  query: 'limit=20',
  host: 'api.example.com',
  ip: '203.0.113.7',
  cost: sats(1),
  now,
}
const request: RequestSeal.SealedRequest = {
  method: 'GET',
  authority: 'api.example.com',
  path: action.path,
  query: 'limit=20',
}

const location = 'https://api.example.com'
const services = Caveat.services({ search: 0 })
/** With `services` five that judge requests. */
const judging = ['verb=GET,HEAD', 'host=api.example.com', 'path=/v1/search/**', 'net=203.0.113.0/24']

export async function evidenceBench(options: { quick: boolean }): Promise<Bench> {
  const rounds = options.quick ? 60 : 400
  return {
    title: `What a request shows beside its token, and how a chain grows (Node ${process.versions.node})`,
    rows: [...authorizeRows(rounds), ...evidenceRows(rounds), ...growthRows(rounds)],
  }
}

function authorizeRows(rounds: number): readonly Row[] {
  const token = mint(...judging)
  const five = Capability.authenticate(token, { key, preimage })
  const six = Capability.authenticate(Capability.attenuate(token, ['max:q.limit=50']), { key, preimage })
  const [plain, argument] = measure(rounds, [
    { batch: 500, run: () => void Capability.authorize(five, action) },
    { batch: 200, run: () => void Capability.authorize(six, action) },
  ])
  return [
    microseconds('authorize, 5 caveats: services, verb, host, path, net', plain!, 0.3),
    microseconds('the same and an argument of the query, max:q.limit=50', argument!),
  ]
}

/** A token of services, profile and the four above; `paid=`, `req=`, `key=` and a third party's caveat come on top. */
function evidenceRows(rounds: number): readonly Row[] {
  const token = mint(...judging)
  const paid = Macaroon.toBase64(Capability.bind(token, preimage))

  const copy = (macaroon: Macaroon.Macaroon): Macaroon.Macaroon => RequestSeal.seal(macaroon, request, now)
  const header = (macaroon: Macaroon.Macaroon): string =>
    Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(macaroon), preimage })
  const sealed = Array.from({ length: 64 }, () => copy(token))
  const texts = sealed.map((one) => Macaroon.toBase64(one))
  const headers = sealed.map(header)
  const copies = createCopies(createRemembered())
  copies.keep(header(copy(token)), Capability.authenticate(copy(token), { key, preimage }))
  let turn = 0
  const next = (): number => turn++ % sealed.length

  const holder = HolderKey.random()
  const signed = copy(Capability.attenuate(token, [Caveat.key(holder.publicKey)]))
  const signedText = Macaroon.toBase64(signed)
  const proof = HolderKey.parseProof([HolderKey.prove(signed, holder)])
  const checkSigned = (ed25519: Capability.VerifyEd25519) => (): void => {
    const authentic = Capability.authenticate(Macaroon.fromBase64(signedText), { key, preimage, ed25519 })
    Capability.authorize(authentic, action, { request: RequestSeal.hash(request), proof })
  }

  const demanding = Discharge.demand(token, {
    location: 'https://auth.example',
    id: 'a',
    key: Discharge.keyFor(key, 'a'),
  })
  const discharge = Discharge.mint(Discharge.keyFor(key, 'a'), 'a', 'https://auth.example', ['expires=4000000000'])
  const discharged = Macaroon.toBase64All(demanding, Discharge.bind(demanding, [discharge]))

  const [bound, full, another, seal, native, noble, prove, third] = measure(rounds, [
    { batch: 25, run: () => void Capability.authenticate(Macaroon.fromBase64(paid), { key }) },
    {
      batch: 25,
      run() {
        const authentic = Capability.authenticate(Macaroon.fromBase64(texts[next()]!), { key, preimage })
        Capability.authorize(authentic, action, { request: RequestSeal.hash(request) })
      },
    },
    {
      batch: 25,
      run() {
        const authentic = copies.find(headers[next()]!)
        if (!authentic) throw new Error('the token of this copy should be known')
        Capability.authorize(authentic, action, { request: RequestSeal.hash(request) })
      },
    },
    { batch: 25, run: () => void header(copy(token)) },
    { batch: 5, run: checkSigned(verifyEd25519) },
    { batch: 1, run: checkSigned(HolderKey.verify) },
    { batch: 1, run: () => void HolderKey.prove(signed, holder) },
    {
      batch: 10,
      run() {
        const [root, ...discharges] = Macaroon.fromBase64All(discharged)
        Capability.authenticate(root, { key, preimage, discharges })
      },
    },
  ])
  return [
    microseconds('base64 → authenticated: paid=, its preimage derived', bound!),
    microseconds('sealed request, its token not seen before: in full, and authorized', full!),
    microseconds('sealed request, the next copy of a token: its seal, and authorized', another!),
    microseconds('client: seal a copy and write the header', seal!),
    microseconds('signed request in full, Ed25519 of node:crypto, as in tallyd', native!),
    microseconds('signed request in full, Ed25519 in JS, as in the library by itself', noble!),
    microseconds('client: sign a sealed copy, Ed25519 in JS', prove!),
    microseconds('base64 → authenticated: with one discharge of a third party', third!),
  ]
}

/** Restated over and over, so that narrowing is compared as well, and every fifth caveat costs the same. */
const restated = [...judging, 'price=1000msat']

function growthRows(rounds: number): readonly Row[] {
  const tokens = LENGTHS.map((length) => chainOf(length))
  const chain = tokens.map((token) => {
    const rootKey = key.derive('root', token.identifier)
    const bytes = Macaroon.encode(token)
    return { batch: 20, run: () => void Macaroon.verify(rootKey, Macaroon.decode(bytes)) }
  })
  const whole = tokens.map((token) => {
    const text = Macaroon.toBase64(token)
    return {
      batch: 10,
      run: () => void Capability.verify(Macaroon.fromBase64(text), { key, preimage, request: action, now }),
    }
  })
  const samples = measure(rounds, [...chain, ...whole])
  return [
    ...growth('bytes → chain checked', samples.slice(0, LENGTHS.length)),
    ...growth('base64 → granted, nothing remembered', samples.slice(LENGTHS.length)),
  ]
}

function growth(name: string, samples: readonly (readonly number[])[]): readonly Row[] {
  const times = new Map(LENGTHS.map((length, i) => [length, quiet(samples[i]!)]))
  const slope = (from: Length, to: Length): number => (times.get(to)! - times.get(from)!) / (to - from)
  const [early, late] = [slope(5, 20), slope(20, 40)]
  return [
    ...LENGTHS.map((length, i) => {
      const row = microseconds(`${name}, ${length} ${length === 1 ? 'caveat' : 'caveats'}`, samples[i]!)
      return { ...row, value: `${row.value}, ${(times.get(length)! / length).toFixed(2)} each` }
    }),
    {
      name: `${name}: one caveat more, from 5 to 20 / from 20 to 40`,
      value: `${early.toFixed(2)} / ${late.toFixed(2)} µs, ${(late / early).toFixed(2)}×`,
      goal: '1.5× or less',
      met: late <= early * 1.5,
    },
  ]
}

const mint = (...caveats: readonly Caveat.CaveatLike[]): Macaroon.Macaroon =>
  Capability.mint(key, { paymentHash, tokenId, location, caveats: [services, Caveat.profile(), ...caveats] })

/** By hand where it is too short for a promise of dlg1. */
function chainOf(length: Length): Macaroon.Macaroon {
  const all = Array.from({ length }, (_, i) => restated[i % restated.length]!)
  const { identifier } = mint()
  const start = Macaroon.mint(key.derive('root', identifier), identifier, location)
  return [services.text, 'profile=dlg1', ...all]
    .slice(0, length)
    .reduce<Macaroon.Macaroon>((longer, text) => Macaroon.append(longer, text), start)
}

interface Contestant {
  readonly batch: number
  readonly run: () => void
}

/** Microseconds per run of each. A fifth more rounds go first, uncounted, while code is still being compiled. */
function measure(rounds: number, contestants: readonly Contestant[]): readonly (readonly number[])[] {
  const samples = contestants.map(() => [] as number[])
  for (let round = -Math.ceil(rounds / 5); round < rounds; round++)
    contestants.forEach(({ batch, run }, i) => {
      const started = process.hrtime.bigint()
      for (let count = 0; count < batch; count++) run()
      const time = Number(process.hrtime.bigint() - started) / 1000 / batch
      if (round >= 0) samples[i]!.push(time)
    })
  return samples
}

const quiet = (samples: readonly number[]): number =>
  samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 10)]!

function microseconds(name: string, samples: readonly number[], goal?: number): Row {
  const p10 = quiet(samples)
  return {
    name,
    value: `${p10.toFixed(2)} µs p10, ${median(samples).toFixed(2)} median`,
    ...(goal !== undefined && { goal: `${goal} µs or less at p10`, met: p10 <= goal }),
  }
}

if (import.meta.main) print(await evidenceBench({ quick: process.argv.includes('--quick') }))
