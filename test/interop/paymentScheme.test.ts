/**
 * The Payment scheme with clients that we did not write, against the running gateway and over the embedded Lightning
 * network: @getalby/lightning-tools (fetch402, fetchWithMpp) and mppx (a paid charge with a lightning method, and its
 * validator, `mppx validate`).
 */
import assert from 'node:assert/strict'
import { execFile, fork } from 'node:child_process'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { fetch402 } from '@getalby/lightning-tools/402'
import { fetchWithMpp } from '@getalby/lightning-tools/402/mpp'
import { Bytes, sats } from 'tallystick/core'
import { walletd } from 'tallystick/lightning/walletd'
import { root, up, type Running } from '../support/up.ts'

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

const alby = { payInvoice: async ({ invoice }: { invoice: string }) => ({ preimage: await payInvoice(invoice) }) }
const accept = { headers: { 'accept-payment': 'lightning/charge' } }

test('@getalby/lightning-tools: fetchWithMpp pays a charge once and gets the SVG with a receipt', async () => {
  const response = await fetchWithMpp(`${running.url}/qr/mpp`, { ...accept }, { wallet: alby })
  assert.equal(response.status, 200)
  assert.match(await response.text(), /<svg/)
  const receipt = Buffer.from(response.headers.get('payment-receipt')!, 'base64url').toString()
  assert.match(receipt, /"method":"lightning".*"status":"success"/)
  const before = payments
  const { credentials } = response.payment!
  const again = await fetchWithMpp(`${running.url}/qr/mpp`, {}, { wallet: alby, credentials })
  assert.equal(again.status, 402)
  assert.equal(payments, before)
})

test('@getalby/lightning-tools: fetch402 pays, whichever scheme comes first', async () => {
  for (const init of [{}, accept]) {
    const before = payments
    const response = await fetch402(`${running.url}/qr/either`, { ...init }, { wallet: alby })
    assert.equal(response.status, 200)
    assert.match(await response.text(), /<svg/)
    assert.equal(payments - before, 1)
  }
})

interface MppxReport {
  readonly challenge: string
  readonly header: string
  readonly status: number
  readonly body: string
  readonly receipt: { readonly status: string; readonly reference: string }
}

async function mppx(url: string): Promise<MppxReport> {
  const child = fork(path.join(import.meta.dirname, 'mppxClient.mjs'), [url], { execArgv: [] })
  return await new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`mppx ended with ${code}`)))
    child.on('message', (message: { invoice: string } | MppxReport) => {
      if ('status' in message) resolve(message)
      else payInvoice(message.invoice).then((preimage) => child.send(preimage), reject)
    })
  })
}

test('mppx: its client pays a charge with a lightning method; it makes the same bytes of our challenge', async () => {
  const before = payments
  const { status, body, receipt, challenge, header } = await mppx(`${running.url}/qr/mppx`)
  assert.equal(status, 200)
  assert.match(body, /<svg/)
  assert.equal(payments - before, 1)
  assert.equal(receipt.status, 'success')
  assert.match(receipt.reference, /^[0-9a-f]{64}$/)
  assert.ok(header.endsWith(challenge), `${header}\n${challenge}`)
})

test('mppx validate: discovery, challenge and refusals all pass; only paying by Tempo is skipped', async () => {
  const bin = path.join(root, 'node_modules/mppx/dist/bin.js')
  const args = [bin, 'validate', running.url, '--header', 'Accept-Payment:lightning/charge', '--outputJson', '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args).catch((error: { stdout: string }) => error)
  const result = JSON.parse(stdout) as {
    summary: Record<string, number>
    endpoints: { challenge: { label: string; severity: string }[]; errorHandling: object[] }[]
  }
  assert.equal(result.summary['failed'], 0, stdout)
  assert.ok(result.summary['passed']! >= 12, stdout)
  const passed = result.endpoints.flatMap(({ challenge }) => challenge.filter(({ severity }) => severity === 'pass'))
  assert.ok(passed.some(({ label }) => label === 'Challenge parseable'))
})
