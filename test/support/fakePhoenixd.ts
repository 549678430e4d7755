/**
 * A test double of phoenixd's HTTP API over the simulated network. Its answers have the shapes of JsonSerializers.kt and Api.kt of
 * phoenixd 0.8.0; phoenixd itself needs ACINQ's peer on mainnet or testnet, so no test here runs it.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Bytes, Invoice, msats, TallyError } from 'tallystick/core'
import type { Lightning, Payment } from 'tallystick/lightning'

export const NODE_ID = `02${'5a'.repeat(32)}`
export const passwords = { full: 'f'.repeat(64), limited: '1'.repeat(64) }

export interface FakePhoenixd extends AsyncDisposable {
  readonly url: string
  /** What `payinvoice` was asked to pay, once for each time. */
  readonly paid: string[]
  /** Ends the connection instead of answering the next payment, which is made nonetheless. */
  cutNextPayment(): void
}

interface Incoming {
  readonly hash: string
  readonly bolt11: string
  readonly expires: number
  readonly createdAt: number
}

class Answer extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export async function fakePhoenixd(network: Lightning, clock: () => Date): Promise<FakePhoenixd> {
  const invoices = new Map<string, Incoming>()
  const outgoing = new Map<string, { readonly payment: Payment; readonly bolt11: string; readonly at: number }>()
  const paid: string[] = []
  let cut = false

  async function incomingOf({ hash, bolt11, expires, createdAt }: Incoming): Promise<object> {
    const state = (await network.lookupInvoice(Bytes.fromHex(hash)))!
    return {
      type: 'incoming_payment',
      subType: 'lightning',
      paymentHash: hash,
      // Told of unpaid invoices as well.
      preimage: state.state === 'paid' ? Bytes.toHex(state.preimage!) : '77'.repeat(32),
      invoice: bolt11,
      isPaid: state.state === 'paid',
      isExpired: clock().getTime() > expires,
      requestedSat: Number(Invoice.decode(bolt11).amount! / 1000n),
      receivedSat: state.state === 'paid' ? Number(state.amount / 1000n) : 0,
      fees: 0,
      expiresAt: expires,
      ...(state.state === 'paid' && { completedAt: state.at.getTime() }),
      createdAt,
    }
  }

  async function create(form: URLSearchParams): Promise<object> {
    const description = form.get('description')
    const descriptionHash = form.get('descriptionHash')
    if ((description === null) === (descriptionHash === null))
      throw new Answer(400, 'Must provide either a description or descriptionHash')
    if (description !== null && description.length > 128)
      throw new Answer(400, 'Request parameter description is too long (max 128 characters)')
    const amountSat = Number(form.get('amountSat'))
    if (!Number.isSafeInteger(amountSat)) throw new Answer(400, 'Request parameter amountSat couldn’t be parsed')
    const createdAt = clock().getTime()
    const expires = createdAt + Number(form.get('expirySeconds')) * 1000
    const { bolt11, paymentHash } = await network.createInvoice({
      amount: msats(BigInt(amountSat) * 1000n),
      expires: new Date(expires),
      ...(descriptionHash === null ? { memo: description! } : { descriptionHash: Bytes.fromHex(descriptionHash) }),
    })
    const hash = Bytes.toHex(paymentHash)
    invoices.set(hash, { hash, bolt11, expires, createdAt })
    return { amountSat, paymentHash: hash, serialized: bolt11 }
  }

  async function pay(form: URLSearchParams): Promise<object> {
    const bolt11 = form.get('invoice')
    if (bolt11 === null) throw new Answer(400, 'Request parameter invoice is missing')
    paid.push(bolt11)
    const paymentHash = Bytes.toHex(Invoice.decode(bolt11).paymentHash)
    const at = clock().getTime()
    outgoing.set(paymentHash, { payment: { state: 'pending' }, bolt11, at })
    const payment = await network.pay({ bolt11, maxFee: msats(0n) })
    outgoing.set(paymentHash, { payment, bolt11, at })
    if (payment.state !== 'paid') return { paymentHash, reason: 'this invoice could not be paid' }
    return {
      recipientAmountSat: Number(payment.amount / 1000n),
      routingFeeSat: 0,
      paymentId: '5f0a0a2c-0000-4000-8000-000000000000',
      paymentHash,
      paymentPreimage: Bytes.toHex(payment.preimage),
    }
  }

  function outgoingOf(hash: string): object {
    const known = outgoing.get(hash)
    if (!known) throw new Answer(404, 'Not found')
    const { payment, bolt11, at } = known
    return {
      type: 'outgoing_payment',
      subType: 'lightning',
      paymentId: '5f0a0a2c-0000-4000-8000-000000000000',
      paymentHash: hash,
      ...(payment.state === 'paid' && { preimage: Bytes.toHex(payment.preimage) }),
      isPaid: payment.state === 'paid',
      sent: payment.state === 'paid' ? Number(payment.amount / 1000n) : 0,
      fees: 0,
      invoice: bolt11,
      ...(payment.state !== 'pending' && { completedAt: at }),
      createdAt: at,
    }
  }

  async function list(query: URLSearchParams): Promise<readonly object[]> {
    const all = await Promise.all([...invoices.values()].map(incomingOf))
    const [from, limit, offset] = ['from', 'limit', 'offset'].map((name) => Number(query.get(name)))
    return (all as { completedAt?: number }[])
      .filter(({ completedAt }) => completedAt !== undefined && completedAt >= from!)
      .sort((a, b) => b.completedAt! - a.completedAt!)
      .slice(offset, offset! + limit!)
  }

  async function answer(request: IncomingMessage): Promise<unknown> {
    const { pathname, searchParams } = new URL(request.url!, 'http://x')
    const basic = Buffer.from((request.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString()
    const password = basic.slice(basic.indexOf(':') + 1)
    const mayPay = password === passwords.full
    if ((!mayPay && password !== passwords.limited) || (pathname === '/payinvoice' && !mayPay))
      throw new Answer(401, 'Invalid authentication (use basic auth with the http password set in phoenix.conf)')
    const form = new URLSearchParams(await text(request))
    const [, hash = ''] = /^\/payments\/\w+\/([0-9a-f]{64})$/.exec(pathname) ?? []
    if (pathname === '/getinfo') return { nodeId: NODE_ID, channels: [], chain: 'regtest', version: '0.8.0' }
    if (pathname === '/getbalance') return { balanceSat: Number((await network.balance()) / 1000n), feeCreditSat: 0 }
    if (pathname === '/createinvoice') return create(form)
    if (pathname === '/payinvoice') return pay(form)
    if (pathname === '/payments/incoming') return list(searchParams)
    if (pathname.startsWith('/payments/outgoingbyhash/')) return outgoingOf(hash)
    const known = invoices.get(hash)
    if (pathname.startsWith('/payments/incoming/') && known) return incomingOf(known)
    throw new Answer(404, hash === '' ? 'Unknown endpoint (check api doc)' : 'Not found')
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const json = await answer(request)
      if (cut && request.url === '/payinvoice') {
        cut = false
        response.destroy()
      } else response.setHeader('content-type', 'application/json').end(JSON.stringify(json, undefined, 4))
    } catch (error) {
      const status = error instanceof Answer ? error.status : 500
      const words = error instanceof Answer || TallyError.is(error) ? error.message : String(error)
      response.writeHead(status, { 'content-type': 'text/plain' }).end(words)
    }
  }

  const server = createServer((request, response) => void serve(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    paid,
    cutNextPayment: () => void (cut = true),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await network[Symbol.asyncDispose]()
    },
  }
}
