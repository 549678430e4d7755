/**
 * Clients that we did not write, unmodified, against the running gateway, paying over the embedded Lightning network:
 * @getalby/lightning-tools (fetchWithL402), npm `l402` (an axios interceptor) and `lsat-js`.
 */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import path from 'node:path'
import { fetchWithL402 } from '@getalby/lightning-tools/402/l402'
import { Bytes, sats } from 'tallystick/core'
import { walletd } from 'tallystick/lightning/walletd'
import { up, type Running } from '../support/up.ts'

const require = createRequire(import.meta.url)
const axios = require('axios') as { create(): AxiosInstance }
const { setupL402Interceptor, MemoryTokenStore } = require('l402') as L402Package
const { Lsat } = require('lsat-js') as LsatPackage

interface AxiosInstance {
  get: (url: string) => Promise<{ status: number; data: string }>
}
interface L402Package {
  setupL402Interceptor: (instance: AxiosInstance, wallet: unknown, store: unknown) => void
  MemoryTokenStore: new () => unknown
}
interface LsatPackage {
  Lsat: {
    fromHeader(header: string): {
      invoice: string
      invoiceAmount: number
      setPreimage(hex: string): void
      toToken(): string
      isExpired(): boolean
    }
  }
}

let running: Running
before(async () => {
  running = await up()
})
after(async () => {
  await running[Symbol.asyncDispose]()
})

let payments = 0

async function payInvoice(bolt11: string): Promise<string> {
  const wallet = walletd(`unix:${path.join(running.state, 'wallet.sock')}`)
  const payment = await wallet.pay({ bolt11, maxFee: sats(10) })
  assert.equal(payment.state, 'paid')
  payments++
  return payment.state === 'paid' ? Bytes.toHex(payment.preimage) : ''
}

test('@getalby/lightning-tools: fetchWithL402 pays and gets the SVG; its credential is refused once used up', async () => {
  const wallet = { payInvoice: async ({ invoice }: { invoice: string }) => ({ preimage: await payInvoice(invoice) }) }
  const response = await fetchWithL402(`${running.url}/qr/alby`, {}, { wallet })
  assert.equal(response.status, 200)
  assert.match(await response.text(), /<svg/)
  const { credentials } = response.payment!
  const again = await fetchWithL402(`${running.url}/qr/alby`, {}, { wallet, credentials })
  assert.equal(again.status, 402)
})

test('npm l402: the axios interceptor pays and gets the SVG', async () => {
  const client = axios.create()
  const wallet = { payInvoice: async (invoice: string) => ({ preimage: await payInvoice(invoice), success: true }) }
  setupL402Interceptor(client, wallet, new MemoryTokenStore())
  const before = payments
  const response = await client.get(`${running.url}/qr/axios`)
  assert.equal(response.status, 200)
  assert.match(response.data, /<svg/)
  assert.equal(payments - before, 1)
})

test('lsat-js: reads the challenge, checks it, and its LSAT token opens the route', async () => {
  const refused = await fetch(`${running.url}/qr/lsat`)
  assert.equal(refused.status, 402)
  const lsat = Lsat.fromHeader(refused.headers.get('www-authenticate')!)
  assert.equal(lsat.invoiceAmount, 10)
  assert.equal(lsat.isExpired(), false)
  lsat.setPreimage(await payInvoice(lsat.invoice))
  const authorization = lsat.toToken()
  assert.match(authorization, /^LSAT /)
  const response = await fetch(`${running.url}/qr/lsat`, { headers: { authorization } })
  assert.equal(response.status, 200)
  assert.match(await response.text(), /<svg/)
})
