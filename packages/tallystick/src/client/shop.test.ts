/** A server to buy from, as a plain fetch function: speaks every challenge in the field, and can be made to misbehave. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sats, type Msat } from '../core/Amount.ts'
import { randomBytes, toBase64, toBase64Url, toHex, utf8 } from '../core/bytes.ts'
import * as Challenge from '../core/Challenge.ts'
import { sha256 } from '../core/hmac.ts'
import * as Identifier from '../core/Identifier.ts'
import * as Macaroon from '../core/Macaroon.ts'
import { sim, type SimLink } from '../lightning/sim.ts'
import type { Lightning, Payer } from '../lightning/Lightning.ts'
import { memoryJar } from '../storage/memory.ts'
import type { Jar } from '../storage/Jar.ts'
import type { PayingFetchOptions } from './client.ts'
import type { PayEvent } from './events.ts'
import { payingFetch } from './fetch.ts'
import type { Fetch, PayingFetch } from './request.ts'

export const START = new Date('2026-11-22T12:00:00Z')

export interface ShopOptions {
  readonly node: Lightning
  readonly clock: () => Date
  price?: Msat
  /** How often a token is honoured; undefined: always. */
  uses?: number | undefined
  /** Caveats of a fresh token. Default: those of our own gate for `uses`. */
  caveats?: (path: string) => readonly string[]
  /** The token as text, for servers whose macaroons are not ours. */
  token?: (macaroon: Macaroon.Macaroon) => string
  identifier?: (paymentHash: Uint8Array) => Uint8Array
  /** The WWW-Authenticate values. Default: those of our own gate. */
  challenge?: (macaroon: string, invoice: string) => readonly string[]
  /** Of the 402. */
  body?: (offer: { macaroon: string; invoice: string }) => string
  /** The scheme a credential must have. */
  scheme?: RegExp
  /** One open invoice for each path until it is redeemed, as our own gate has. Else one for each 402. */
  shared?: boolean
  /** A paid credential is refused this often before the settlement is seen. */
  late?: number
  /** Answer to a used-up credential. Default: a 402 that says so, as our own gate does. */
  spent?: 'reason' | '402' | '401'
  /** Seconds an invoice can be paid. */
  lifetime?: number
  descriptionHash?: Uint8Array
  /** Comes first; undefined goes on. */
  before?: (request: Request) => Response | undefined | Promise<Response | undefined>
  /** What paying brings. */
  serve?: (request: Request) => Response | Promise<Response>
}

interface Token {
  readonly paymentHash: string
  readonly path: string
  used: number
  early: number
}

export interface Shop {
  readonly fetch: Fetch
  /** Every request, in order. */
  readonly log: { method: string; url: string; authorization: string | null; body: string; status: number }[]
  /** Payment hashes that were served, once for each time. */
  readonly served: string[]
  invoices: number
  options: ShopOptions
}

export function openShop(options: ShopOptions): Shop {
  const tokens = new Map<string, Token>()
  const open = new Map<string, { macaroon: string; invoice: string }>()
  const shop: Shop = { fetch: answer, log: [], served: [], invoices: 0, options }

  async function answer(url: string, init: RequestInit): Promise<Response> {
    const request = new Request(url, init)
    const seen = {
      method: request.method,
      url,
      authorization: request.headers.get('authorization'),
      body: await request.clone().text(),
      status: 0,
    }
    shop.log.push(seen)
    const response = (await options.before?.(request)) ?? (await gate(request, seen.authorization))
    seen.status = response.status
    return response
  }

  async function gate(request: Request, authorization: string | null): Promise<Response> {
    const path = new URL(request.url).pathname
    const [, scheme, macaroon, preimage] = /^(\w+) (.+):([0-9a-f]{64})$/.exec(authorization ?? '') ?? []
    const token = tokens.get(nameOf(macaroon ?? ''))
    const honest = token && preimage !== undefined && toHex(sha256(hexBytes(preimage))) === token.paymentHash
    if (!honest || !(options.scheme ?? /./).test(scheme!)) return offer(path)
    if (token.early++ < (options.late ?? 0)) return offer(path)
    open.delete(token.path)
    if (token.used >= (options.uses ?? Infinity)) return refuse(path)
    token.used++
    shop.served.push(token.paymentHash)
    return (await options.serve?.(request)) ?? new Response(`paid ${path}`)
  }

  function refuse(path: string): Promise<Response> | Response {
    if (options.spent === '401') return new Response('spent', { status: 401 })
    return offer(path, options.spent === '402' ? {} : { reason: { code: 'CAPABILITY_SPENT' } })
  }

  async function offer(path: string, extra: object = {}): Promise<Response> {
    const known = options.shared ? open.get(path) : undefined
    const { macaroon, invoice } = known ?? (await mint(path))
    open.set(path, { macaroon, invoice })
    const headers = new Headers({ 'content-type': 'application/problem+json' })
    for (const value of (options.challenge ?? ours)(macaroon, invoice)) headers.append('www-authenticate', value)
    const body = options.body?.({ macaroon, invoice }) ?? JSON.stringify({ macaroon, invoice, ...extra })
    return new Response(body, { status: 402, headers })
  }

  async function mint(path: string): Promise<{ macaroon: string; invoice: string }> {
    shop.invoices++
    const { node, clock, price = sats(10), uses, lifetime = 600, descriptionHash } = options
    const created = await node.createInvoice({
      amount: price,
      expires: new Date(clock().getTime() + lifetime * 1000),
      ...(descriptionHash && { descriptionHash }),
    })
    const identifier =
      options.identifier?.(created.paymentHash) ??
      Identifier.encode({ paymentHash: created.paymentHash, tokenId: randomBytes(32) })
    const caveats = options.caveats?.(path) ?? gateCaveats(path, uses)
    const bare = Macaroon.mint(randomBytes(32), identifier, 'shop')
    const minted = caveats.reduce<Macaroon.Macaroon>((macaroon, text) => Macaroon.append(macaroon, text), bare)
    const macaroon = options.token?.(minted) ?? Macaroon.toBase64(minted)
    tokens.set(nameOf(macaroon), { paymentHash: toHex(created.paymentHash), path, used: 0, early: 0 })
    return { macaroon, invoice: created.bolt11 }
  }

  return shop
}

const hexBytes = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

/** Of a sealed copy as of what was sealed: what seals are worth is for the gate to judge. */
function nameOf(macaroon: string): string {
  try {
    return toHex(Macaroon.fromBase64(macaroon).identifier)
  } catch {
    return macaroon
  }
}

const ours = (macaroon: string, invoice: string): readonly string[] => Challenge.format({ macaroon, invoice })

const LATER = Math.floor(START.getTime() / 1000) + 3600

/** In the order our gate mints them. */
export function gateCaveats(path: string, uses: number | undefined, verbs = 'GET,HEAD'): readonly string[] {
  const head = ['services=shop:0', `shop_valid_until=${LATER}`, 'profile=dlg1', `expires=${LATER}`]
  return [...head, `verb=${verbs}`, `path=${path}`, ...(uses === undefined ? [] : [`uses=${uses}`])]
}

/** Challenge forms of the field survey §1.1, and what each needs of a client. */
export const fieldForms: Record<string, Partial<ShopOptions>> = {
  'our own gate': {},
  'the L402 text: version and token only': {
    challenge: (m, i) => [`L402 version="0", token="${m}", invoice="${i}"`],
  },
  'spring paygate: macaroon is not the first parameter': {
    challenge: (m, i) => [
      `L402 version="0", token="${m}", macaroon="${m}", invoice="${i}"`,
      'Payment id="x", realm="y"',
    ],
  },
  'aperture: no version, service caveats only': {
    challenge: (m, i) => [`LSAT macaroon="${m}", invoice="${i}"`, `L402 macaroon="${m}", invoice="${i}"`],
    caveats: () => ['services=shop:0', 'shop_capabilities=read', `shop_valid_until=${LATER}`],
  },
  'boltwall: LSAT only, URL-safe base64, hex identifier': {
    challenge: (m, i) => [`LSAT macaroon="${m}", invoice="${i}"`],
    scheme: /^LSAT$/,
    token: (macaroon) => toBase64Url(Macaroon.encode(macaroon)),
    identifier: (hash) => utf8(toHex(Identifier.encode({ paymentHash: hash, tokenId: randomBytes(32) }))),
    caveats: () => ['expiration=1795000000000'],
  },
  'ngx-l402: a macaroon we cannot read': {
    challenge: (m, i) => [`L402 macaroon="${m}", invoice="${i}"`],
    token: () => toBase64(randomBytes(90)),
    body: () => '<h1>402</h1>',
  },
  'toll-booth: all schemes joined in one value': {
    challenge: (m, i) => [`L402 macaroon="${m}", invoice="${i}", Payment id="x", request="e30"`],
    caveats: (path) => [`route = ${path}`],
  },
  'Lightning Enable: wants L402, not LSAT': {
    scheme: /^L402$/,
    body: ({ macaroon, invoice }) => JSON.stringify({ error: 'Payment Required', l402: { macaroon, invoice } }),
  },
  'l402-kit: a token that is no macaroon': {
    challenge: (m, i) => [`L402 macaroon="${m}", invoice="${i}"`],
    token: () => toBase64(utf8(JSON.stringify({ hash: toHex(randomBytes(32)), exp: 1 }))),
    body: ({ macaroon, invoice }) => JSON.stringify({ macaroon, invoice, priceSats: 10 }),
  },
}

/** A shop, a funded wallet, a jar and a client, on a clock that only sleeping moves. */
export interface World {
  now: Date
  readonly link: SimLink
  readonly node: Lightning
  readonly jar: Jar
  readonly shop: Shop
  readonly events: PayEvent[]
  /** Payment hashes the wallet was asked to pay, in order. */
  readonly asked: string[]
  readonly wallet: Payer
  readonly client: (options?: Partial<PayingFetchOptions>) => PayingFetch
  readonly fetch: PayingFetch
  balance(): Promise<bigint>
}

export const BALANCE = sats(1_000_000)

export function openWorld(shopOptions: Partial<ShopOptions> = {}, options: Partial<PayingFetchOptions> = {}): World {
  const link: SimLink = {}
  const clock = (): Date => world.now
  const node = sim({ clock, link, balance: BALANCE })
  const jar = options.jar ?? memoryJar()
  const shop = openShop({ node, clock, ...shopOptions })
  const events: PayEvent[] = []
  const asked: string[] = []
  const wallet: Payer = {
    network: node.network,
    balance: () => node.balance(),
    lookupPayment: (hash) => node.lookupPayment(hash),
    pay: (request) => {
      asked.push(request.bolt11)
      return node.pay(request)
    },
  }
  const client = (more: Partial<PayingFetchOptions> = {}): PayingFetch =>
    payingFetch({
      wallet,
      jar,
      clock,
      fetch: shop.fetch,
      onEvent: (event) => events.push(event),
      sleep: async (milliseconds, signal) => {
        signal?.throwIfAborted()
        world.now = new Date(world.now.getTime() + milliseconds)
        // Others get their turn, as they would while time passes.
        await new Promise((resolve) => setImmediate(resolve))
      },
      ...options,
      ...more,
    })
  const world: World = {
    now: START,
    link,
    node,
    jar,
    shop,
    events,
    asked,
    wallet,
    client,
    fetch: client(),
    balance: async () => BigInt(await node.balance()),
  }
  return world
}

/** The code of the TallyError a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  const { error } = await promise.then(
    () => ({ error: undefined }),
    (error: unknown) => ({ error }),
  )
  assert.ok(error instanceof Error, 'expected an error')
  return 'code' in error ? String(error.code) : error.name
}

test('the shop serves only who paid, and as often as it says', async () => {
  const { shop, node } = openWorld({ uses: 1 })
  const first = await shop.fetch('https://shop.example/a', {})
  const { macaroon, invoice } = (await first.json()) as { macaroon: string; invoice: string }
  const headers = (preimage: string): RequestInit => ({ headers: { authorization: `L402 ${macaroon}:${preimage}` } })
  assert.equal((await shop.fetch('https://shop.example/a', headers('00'.repeat(32)))).status, 402)
  const payment = await node.pay({ bolt11: invoice, maxFee: sats(1) })
  assert.equal(payment.state, 'paid')
  const preimage = payment.state === 'paid' ? toHex(payment.preimage) : ''
  assert.equal((await shop.fetch('https://shop.example/a', headers(preimage))).status, 200)
  assert.equal((await shop.fetch('https://shop.example/a', headers(preimage))).status, 402)
})
