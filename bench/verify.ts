/**
 * What checking a token costs: 5 caveats, a 66-byte identifier, everything in one process, the contestants in turn and in
 * short batches so that they meet the same weather. p10 stands for a quiet core. Also alone: `node bench/verify.ts`.
 */
import npm from 'macaroon'
import { Capability, Caveat, hmacSha256, Key, Macaroon, sats, sha256 } from 'tallystick/core'
import { median, print, type Bench, type Row } from './report.ts'

export async function verifyBench(options: { quick: boolean }): Promise<Bench> {
  const key = Key.random()
  const preimage = new Uint8Array(32).fill(7)
  const expires = new Date('2099-01-01')
  const token = Capability.mint(key, {
    paymentHash: sha256(preimage),
    location: 'https://api.example.com',
    caveats: [
      Caveat.services({ search: 0 }),
      Caveat.validUntil('search', expires),
      Caveat.profile(),
      Caveat.verb('GET', 'HEAD'),
      Caveat.path('/v1/search/**'),
    ],
  })
  const bytes = Macaroon.encode(token)
  const text = Macaroon.toBase64(token)
  const rootKey = key.derive('root', token.identifier)
  const authentic = Capability.authenticate(token, { key, preimage })
  const action = { service: 'search', verb: 'GET', path: '/v1/search/macaroons', cost: sats(1), now: new Date() }

  const samples = measure(options.quick ? 60 : 400, {
    chain: {
      batch: 50,
      run: () => void Macaroon.verify(rootKey, Macaroon.decode(bytes)),
    },
    proof: {
      batch: 50,
      run() {
        Macaroon.verify(rootKey, Macaroon.decode(bytes))
        sha256(preimage)
      },
    },
    npm: {
      batch: 5,
      run: () => npm.importMacaroon(bytes).verify(rootKey, () => null, []),
    },
    authenticate: {
      batch: 25,
      run: () => void Capability.authenticate(Macaroon.fromBase64(text), { key, preimage }),
    },
    authorize: {
      batch: 500,
      run: () => void Capability.authorize(authentic, action),
    },
    hmac: {
      batch: 200,
      run: () => void hmacSha256(rootKey, preimage),
    },
  })
  const { chain, npm: theirs, proof, authenticate, authorize, hmac } = samples
  const ratio = median(chain.map((time, i) => theirs[i]! / time))
  return {
    title: `Checking a token of 5 caveats, ${bytes.length} bytes (Node ${process.versions.node})`,
    rows: [
      microseconds('bytes → parsed, chain checked', chain),
      microseconds('the same by npm macaroon 3.0.4', theirs),
      {
        name: 'npm macaroon / ours, median of pairs',
        value: `${ratio.toFixed(1)}×`,
        goal: '10× or more',
        met: ratio >= 10,
      },
      microseconds('bytes → parsed, chain and preimage checked', proof, 5),
      microseconds('base64 → authenticated: also root key derived, caveats parsed and compared', authenticate),
      microseconds('authorize, once authenticated', authorize, 0.5),
      microseconds('HMAC-SHA256 of 32 bytes', hmac),
    ],
  }
}

interface Contestant {
  /** Runs per sample: enough to be longer than the clock's grain, short enough to fall between interruptions. */
  readonly batch: number
  readonly run: () => void
}

/** Microseconds per run, sample by sample. A fifth more rounds go first, uncounted, while code is still being compiled. */
function measure<Name extends string>(
  rounds: number,
  contestants: Readonly<Record<Name, Contestant>>,
): Readonly<Record<Name, readonly number[]>> {
  const entries = Object.entries<Contestant>(contestants)
  const samples = Object.fromEntries(entries.map(([name]) => [name, [] as number[]]))
  for (let round = -Math.ceil(rounds / 5); round < rounds; round++)
    for (const [name, { batch, run }] of entries) {
      const started = process.hrtime.bigint()
      for (let i = 0; i < batch; i++) run()
      const time = Number(process.hrtime.bigint() - started) / 1000 / batch
      if (round >= 0) samples[name]!.push(time)
    }
  return samples as Record<Name, number[]>
}

function microseconds(name: string, samples: readonly number[], goal?: number): Row {
  const p10 = samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 10)]!
  return {
    name,
    value: `${p10.toFixed(2)} µs p10, ${median(samples).toFixed(2)} median`,
    ...(goal !== undefined && { goal: `${goal} µs or less at p10`, met: p10 <= goal }),
  }
}

if (import.meta.main) print(await verifyBench({ quick: process.argv.includes('--quick') }))
