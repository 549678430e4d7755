/**
 * An agent that makes one paid call and is killed while it does. argv: the call as JSON. Events of the client are sent
 * between its steps, so they are the places to die at; the client itself has no hooks.
 */
import { payingFetch } from 'tallystick/client'
import { walletd } from 'tallystick/lightning/walletd'
import { sqliteJar } from 'tallystick/storage/sqlite'

export interface CallOfAgent {
  readonly url: string
  readonly jar: string
  readonly wallet: string
  readonly token: string
  /** Dies when the client says this for the `nth` time. */
  readonly dieAt?: { readonly event: string; readonly nth: number }
}

const { url, jar: path, wallet, token, dieAt } = JSON.parse(process.argv[2]!) as CallOfAgent
let seen = 0

const jar = sqliteJar(path)
const fetch = payingFetch({
  wallet: walletd(wallet, { token }),
  jar,
  budget: { total: '1000 sat' },
  onEvent({ type }) {
    if (type === dieAt?.event && ++seen === dieAt.nth) process.kill(process.pid, 'SIGKILL')
  },
})
const response = await fetch(url)
console.log(JSON.stringify({ status: response.status, body: await response.text() }))
await jar[Symbol.asyncDispose]()
