/**
 * Paid requests end to end: 402, a payment over real HTLCs through the embedded network, 200. One process plays the whole
 * world, so this says what a laptop can show, not what a node can settle.
 */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { Key } from 'tallystick/core'
import { payingFetch } from 'tallystick/client'
import { paid } from 'tallystick/node'
import { createGate } from 'tallystick/server'
import { memoryJar, memoryStore } from 'tallystick/storage'
import { openEmbedded } from 'tallystick-ldk'
import { median, type Bench } from './report.ts'

export async function embeddedBench({ quick }: { quick: boolean }): Promise<Bench> {
  const started = performance.now()
  await using network = await openEmbedded()
  const ready = performance.now() - started
  await using gate = createGate({ key: Key.random(), store: memoryStore(), lightning: network.receiver })
  const handler = paid(gate, { price: '1 sat' }, (_req, res: http.ServerResponse) => void res.end('done'))
  const server = http.createServer((req, res) => void handler(req, res))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const buy = payingFetch({ wallet: network.payer, jar: memoryJar() })
  let path = 0
  /** Paths of their own: one open invoice per (client, route, price) would make callers behind one address take turns. */
  const one = async (): Promise<number> => {
    const begun = performance.now()
    const response = await buy(`http://127.0.0.1:${port}/${path++}`)
    if (response.status !== 200) throw new Error(`status ${response.status}`)
    await response.text()
    return performance.now() - begun
  }
  try {
    const first = await one()
    const latencies: number[] = []
    const sequential = quick ? 20 : 100
    const beganSequential = performance.now()
    for (let i = 0; i < sequential; i++) latencies.push(await one())
    const perSecondSequential = sequential / ((performance.now() - beganSequential) / 1000)
    const concurrent = quick ? 60 : 400
    const beganConcurrent = performance.now()
    let left = concurrent
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        while (left-- > 0) await one()
      }),
    )
    const perSecondConcurrent = concurrent / ((performance.now() - beganConcurrent) / 1000)
    const milliseconds = (value: number): string => `${value.toFixed(0)} ms`
    return {
      title: 'Embedded Lightning, three nodes in one worker thread: 402 → payment → 200',
      rows: [
        { name: 'network ready after', value: milliseconds(ready) },
        {
          name: 'first paid 200 after that',
          value: milliseconds(first),
          goal: '≤ 10 s in all',
          met: ready + first <= 10_000,
        },
        { name: 'one caller, median', value: milliseconds(median(latencies)) },
        { name: 'one caller', value: `${perSecondSequential.toFixed(1)}/s` },
        { name: '20 callers', value: `${perSecondConcurrent.toFixed(1)}/s` },
      ],
    }
  } finally {
    server.close()
    server.closeAllConnections()
  }
}
