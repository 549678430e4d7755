/**
 * kill -9 of the whole gateway at named points: nothing is paid twice, no settlement is lost, and what was paid for can be
 * redeemed. A kill between the charge and the answer may cost the one use in flight, and never gives one away.
 */
import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { Bytes, Challenge, Credential, Invoice } from 'tallystick/core'

interface Reply {
  readonly port?: number
  readonly state?: string
  readonly preimage?: string
  readonly hashes?: readonly string[]
  readonly error?: string
}

interface Answered {
  readonly status: number
  readonly www: readonly string[]
}

let upstream: http.Server
/** What the upstream does with the next request: answer, answer 500, or die in the middle together with the gateway. */
let onRequest: (res: http.ServerResponse) => void
const answer = (res: http.ServerResponse): void => void res.end('done')
let served = 0

before(async () => {
  upstream = http.createServer((_req, res) => {
    served++
    onRequest(res)
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
})
after(() => {
  upstream.closeAllConnections()
  upstream.close()
})

class Gateway {
  readonly dir = mkdtempSync(path.join(tmpdir(), 'tally-crash-'))
  child!: ChildProcess
  port = 0
  #id = 0

  async start(fault = 'none'): Promise<void> {
    const { port } = upstream.address() as AddressInfo
    this.child = fork(
      path.join(import.meta.dirname, 'gatewayChild.ts'),
      [this.dir, `http://127.0.0.1:${port}`, fault],
      { execArgv: ['--conditions=source'] },
    )
    this.port = (await this.#reply((message) => message.port !== undefined)).port!
  }

  #reply(wanted: (message: Reply & { id?: number }) => boolean): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const onMessage = (message: Reply): void => {
        if (wanted(message)) done(() => resolve(message))
      }
      const onExit = (): void => done(() => reject(new Error('gateway gone')))
      const done = (then: () => void): void => {
        this.child.off('message', onMessage)
        this.child.off('exit', onExit)
        then()
      }
      this.child.on('message', onMessage)
      this.child.once('exit', onExit)
      if (this.child.exitCode !== null || this.child.signalCode !== null) onExit()
    })
  }

  async ask(message: object): Promise<Reply> {
    const id = ++this.#id
    const reply = this.#reply((answer) => answer.id === id)
    this.child.send({ id, ...message }, () => {})
    return reply
  }

  async died(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null)
      await new Promise<void>((resolve) => this.child.once('exit', () => resolve()))
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.died()
  }

  request(authorization?: string, method = 'GET'): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const headers = authorization === undefined ? {} : { authorization }
      const req = http.request({ port: this.port, path: '/work', method, headers, agent: false }, (res) => {
        res.resume()
        res.once('error', reject)
        res.once('end', () => resolve({ status: res.statusCode!, www: res.headersDistinct['www-authenticate'] ?? [] }))
      })
      req.once('error', reject)
      req.end()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** Repeats `step` until it comes through, starting the gateway anew, without the fault, whenever it is found dead. */
async function throughCrashes<T>(gateway: Gateway, step: () => Promise<T>): Promise<{ value: T; crashes: number }> {
  for (let crashes = 0; ; crashes++) {
    try {
      return { value: await step(), crashes }
    } catch (error) {
      if (crashes >= 2) throw error
      await gateway.died()
      await gateway.start()
    }
  }
}

async function buy(gateway: Gateway, method = 'GET'): Promise<{ credential: string; hash: string; crashes: number }> {
  const quoted = await throughCrashes(gateway, () => gateway.request(undefined, method))
  assert.equal(quoted.value.status, 402)
  const { macaroon, invoice } = Challenge.parse(quoted.value.www)[0]!
  const paid = await throughCrashes(gateway, () => gateway.ask({ pay: invoice }))
  assert.equal(paid.value.error, undefined)
  assert.equal(paid.value.state, 'paid')
  const preimage = Bytes.fromHex(paid.value.preimage!)
  return {
    credential: Credential.format({ scheme: 'L402', macaroon, preimage }),
    hash: Bytes.toHex(Invoice.decode(invoice).paymentHash),
    crashes: quoted.crashes + paid.crashes,
  }
}

/** How many of the two uses may be gone although no answer came. */
const faults: Record<string, { lost: number; upstream?: 'fails' | 'mid-answer' | 'on-request' }> = {
  'before-createInvoice': { lost: 0 },
  'after-createInvoice': { lost: 0 },
  'before-open': { lost: 0 },
  'after-open': { lost: 0 },
  'before-settle': { lost: 0 },
  'after-settle': { lost: 0 },
  'before-spend': { lost: 0 },
  'after-spend': { lost: 1 },
  'before-refund': { lost: 1, upstream: 'fails' },
  'after-refund': { lost: 0, upstream: 'fails' },
  'upstream-asked': { lost: 1, upstream: 'on-request' },
  'mid-answer': { lost: 1, upstream: 'mid-answer' },
}

for (const [fault, { lost, upstream: behaviour }] of Object.entries(faults)) {
  test(`kill -9 at ${fault}: paid once, settled once, redeemable`, async () => {
    await using gateway = new Gateway()
    await gateway.start(fault)
    let first = true
    onRequest = (res) => {
      if (!first || behaviour === undefined) return answer(res)
      first = false
      if (behaviour === 'fails') return void res.writeHead(500).end()
      if (behaviour === 'on-request') return void gateway.child.kill('SIGKILL')
      res.writeHead(200, { 'content-length': '100' })
      res.write('half of it', () => void gateway.child.kill('SIGKILL'))
    }
    const { credential, hash, crashes } = await buy(gateway)

    let redeemed = 0
    let crashed = crashes
    const failed: number[] = []
    for (;;) {
      const use = await throughCrashes(gateway, () => gateway.request(credential))
      crashed += use.crashes
      if (use.value.status === 402) break
      if (use.value.status === 200) redeemed++
      else failed.push(use.value.status)
    }
    assert.equal(redeemed, 2 - lost, `uses redeemed (refused with ${failed.join()})`)

    // Settlements are followed in the background, so that crash may come as late as here.
    const books = await throughCrashes(gateway, () => gateway.ask({ paid: true }))
    assert.deepEqual(books.value.hashes, [hash], 'one payment, one settlement')
    assert.equal(crashed + books.crashes, 1, 'the fault point was reached exactly once')
  })
}

test('uses=50: 200 parallel requests before and after a kill -9 never get more than 50, and exactly 50 when none was in flight', async () => {
  await using gateway = new Gateway()
  await gateway.start()
  onRequest = answer
  const { credential } = await buy(gateway, 'POST')
  const count = async (n: number): Promise<number> => {
    const answers = await Promise.all(Array.from({ length: n }, () => gateway.request(credential, 'POST')))
    return answers.filter(({ status }) => status === 200).length
  }
  const before = await count(20)
  await gateway.kill()
  await gateway.start()
  assert.deepEqual([before, await count(200)], [20, 30])

  const second = await buy(gateway, 'POST')
  served = 0
  const inFlight = Array.from({ length: 200 }, () => gateway.request(second.credential, 'POST').catch(() => undefined))
  await Promise.race(inFlight)
  await gateway.kill()
  const acknowledged = (await Promise.all(inFlight)).filter((answered) => answered?.status === 200).length
  await gateway.start()
  const rest = await Promise.all(Array.from({ length: 200 }, () => gateway.request(second.credential, 'POST')))
  const later = rest.filter(({ status }) => status === 200).length
  assert.ok(acknowledged + later <= 50, `${acknowledged} + ${later} granted`)
  assert.ok(served <= 50, `the upstream served ${served}`)
})
