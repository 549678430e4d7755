/**
 * The Lightning contract against lnd itself: two of them with a channel on a regtest chain, each reached with a macaroon that may do
 * what docs/nodes.md says it needs, and no more. TALLY_REQUIRE=lnd makes a missing one a failure.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TallyError } from 'tallystick/core'
import { lnd } from 'tallystick/lightning/lnd'
import { lightningConformance } from 'tallystick/testing'
import { isInstalled, needs, startLnds } from '../support/lnd.ts'

const required = (process.env['TALLY_REQUIRE'] ?? '').split(',').includes('lnd')

if (!isInstalled) test('lnd', { skip: !required && needs }, () => assert.fail(`missing: ${needs}`))
else
  lightningConformance('lnd', async () => {
    const pair = await startLnds()
    const receiving = await pair.payee.bake('info:read invoices:read invoices:write')
    const paying = await pair.payer.bake('info:read offchain:read offchain:write')
    const receiver = await lnd({ ...pair.payee, macaroon: receiving })
    const payer = await lnd({ ...pair.payer, macaroon: paying })
    assert.equal(receiver.network, 'bcrt')
    const is = (code: string) => (error: unknown) => TallyError.is(error) && error.code === code
    await assert.rejects(receiver.balance(), is('NODE_REFUSED'), 'who may only receive learns nothing of the rest')
    await assert.rejects(lnd({ ...pair.payee, macaroon: paying }), is('NODE_REFUSED'), 'the macaroon of another node')
    const { cert: foreign } = pair.payer
    await assert.rejects(lnd({ ...pair.payee, macaroon: receiving, cert: foreign }), is('NODE_UNAVAILABLE'))
    return {
      receiver,
      payer,
      async close() {
        await receiver[Symbol.asyncDispose]()
        await payer[Symbol.asyncDispose]()
        await pair[Symbol.asyncDispose]()
      },
    }
  })
