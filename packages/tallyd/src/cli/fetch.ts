/** `tally fetch`: like curl, and pays. The result goes to stdout, what it cost and why to stderr. */
import { inspectOffer, payingFetch, paymentOf, type PaymentInfo } from 'tallystick/client'
import { Amount, Bytes, msats, TallyError } from 'tallystick/core'
import { defineCommand, type Context } from './Command.ts'
import { exits, type ExitCode } from './exit.ts'
import { bodyAsJson, checkOutput, headersAsJson, writeResponse } from './fetchOutput.ts'
import { readFetchRequest, type FetchRequest } from './fetchRequest.ts'
import { handedFetch } from './handedFetch.ts'
import { holderOption } from './holderKey.ts'
import type { Io } from './Io.ts'
import { createProgress, silent } from './progress.ts'
import { quoteAsJson, quoteAsText } from './quote.ts'
import { keepReceipt, receiptLine } from './fetchReceipt.ts'
import { jarOption } from './tokenInput.ts'
import { amountOption } from './values.ts'
import { openJar, openWallet, walletOption, withoutWallet } from './wallet.ts'

const MAX_COST = '100 sat'

const options = {
  request: { type: 'value', value: 'METHOD', short: 'X', help: 'the method (default: GET, or POST with --data)' },
  header: { type: 'value', value: "'NAME: VALUE'", short: 'H', many: true, help: 'send this header' },
  data: {
    type: 'value',
    value: 'DATA',
    short: 'd',
    many: true,
    help: 'send this body; @FILE or @- from a file or stdin',
  },
  receipt: { type: 'value', value: 'FILE', help: 'keep what proves this use in FILE (`tally receipt verify`)' },
  output: { type: 'value', value: 'FILE', short: 'o', help: 'write the answer to FILE; - is stdout' },
  include: { type: 'flag', short: 'i', help: 'write status and headers before the body' },
  fail: { type: 'flag', short: 'f', help: `exit ${exits.HTTP.code} and write no body when the status is 400 or more` },
  'max-cost': { type: 'value', value: 'AMOUNT', help: `pay at most so much for one purchase (default ${MAX_COST})` },
  'max-fee': {
    type: 'value',
    value: 'AMOUNT',
    help: 'and so much for routing it (default: 1 %, or 3 sat if that is more)',
  },
  'dry-run': { type: 'flag', help: 'show the price and what it buys; pay nothing' },
  token: { type: 'value', value: 'FILE', help: 'present this token, which somebody handed on, and never pay' },
  discharge: { type: 'value', value: 'FILE', many: true, help: 'with --token: what a third party said for it' },
  holder: { ...holderOption, help: 'with --token: your key, if it is bound to one' },
  wallet: walletOption,
  jar: jarOption,
} as const

export const fetchCommand = defineCommand({
  name: 'fetch',
  summary: 'Fetch a URL, and pay for it if it asks (like curl)',
  args: 'URL',
  maxArgs: 1,
  options,
  notes: `What was bought is kept in the jar and used again while it lasts. Nothing is paid twice: after a crash, repeat the
command. With --token nothing is ever paid, and whatever the server says of the token is the answer. A dry run still sends the request; a server that asks for nothing will answer it.`,
  examples: [
    ['tally fetch http://127.0.0.1:8402/qr/hello -o hello.svg', 'pay up to 100 sat, save the answer'],
    ['tally fetch --dry-run http://127.0.0.1:8402/qr/hello', 'what would it cost?'],
    ["tally fetch --max-cost '5 sat' --json http://127.0.0.1:8402/text/hello", 'for scripts'],
    ['tally fetch --token scout.token http://127.0.0.1:8402/qr/hello', 'with what was handed to you'],
    ["tally fetch -X PUT -H 'content-type: text/plain' -d @note.txt https://example.com/notes/1", 'as with curl'],
  ],
  async run(context) {
    const { io, style, json, options, args } = context
    const request = await readFetchRequest(io, args[0], options)
    await checkOutput(io, options.output)
    const limits = {
      perRequest: amountOption('--max-cost', options['max-cost'] ?? MAX_COST),
      maxFee: options['max-fee'] === undefined ? undefined : amountOption('--max-fee', options['max-fee']),
    }
    const abort = new AbortController()
    using _ = io.onStop(() => abort.abort())
    const progress = json ? silent : createProgress(io, style)
    try {
      if (options['dry-run']) return await dryRun(context, request, abort.signal)
      if (options.token !== undefined) {
        const response = await (
          await handedFetch(io, options.token, options, request.url)
        )(request.url, initOf(request, abort.signal))
        await progress.end()
        return await writeResult(context, response)
      }
      const wallet = openWallet(io, options.wallet)
      await using jar = await openJar(io, options.jar)
      const pay = payingFetch({
        wallet,
        jar,
        budget: { perRequest: limits.perRequest },
        ...(limits.maxFee !== undefined && { maxFee: limits.maxFee }),
        clock: io.clock,
        onEvent: progress.onEvent,
      })
      const response = await pay(request.url, initOf(request, abort.signal))
      await progress.end()
      return await writeResult(context, response)
    } catch (error) {
      await progress.end()
      if (!abort.signal.aborted || TallyError.is(error)) throw explain(error, request.url)
      await io.stderr.write('stopped; if a payment was under way, repeat the command to resume it\n')
      return exits.STOPPED.code
    }
  },
})

type FetchContext = Context<typeof options>

function initOf({ method, headers, body }: FetchRequest, signal: AbortSignal) {
  return { method, headers, signal, ...(body && { body }) }
}

async function writeResult({ io, json, options }: FetchContext, response: Response): Promise<ExitCode> {
  const payment = paymentOf(response)
  const failed = options.fail && response.status >= 400
  if (json) {
    const saved = options.output !== undefined && options.output !== '-' && !failed
    const body = saved ? { file: await writeResponse(io, response, options) } : await bodyAsJson(response)
    const { status, headers } = response
    const kept = await keepReceipt(io, response, options.receipt)
    const result = {
      status,
      headers: headersAsJson(headers),
      ...costOf(payment),
      ...chargeOf(headers),
      ...kept,
      ...body,
    }
    await io.stdout.write(`${JSON.stringify(result)}\n`)
  } else if (failed) {
    await response.body?.cancel()
    await io.stderr.write(`${response.url} answered ${response.status}\n`)
  } else {
    const file = await writeResponse(io, response, options)
    if (file !== undefined && options.output === undefined)
      await io.stderr.write(
        `The answer is binary and was saved as ${file}; -o FILE chooses the name, -o - prints it.\n`,
      )
    await receiptLine(io, await keepReceipt(io, response, options.receipt))
  }
  if (!json) await tellCharge(io, response.headers)
  return failed ? exits.HTTP.code : exits.OK.code
}

/** What a metered call took of a balance, where the server says so before the body. */
function chargeOf(headers: Headers): { charged?: string; left?: string } {
  const amount = (name: string): string | undefined => {
    const text = headers.get(name)
    return text !== null && /^[0-9]{1,18}$/.test(text) ? Amount.format(msats(BigInt(text))) : undefined
  }
  const [charged, left] = [amount('x-l402-charged-msat'), amount('x-l402-left-msat')]
  return { ...(charged !== undefined && { charged }), ...(left !== undefined && { left }) }
}

async function tellCharge(io: Io, headers: Headers): Promise<void> {
  const { charged, left } = chargeOf(headers)
  if (charged !== undefined)
    await io.stderr.write(`charged ${charged}${left === undefined ? '' : `, ${left} left on the balance`}\n`)
  else if (/\bx-l402-charged-msat\b/i.test(headers.get('trailer') ?? ''))
    await io.stderr.write('charged by what it used; how much stands in the trailer, which curl -v shows\n')
  const free = headers.get('x-l402-free-left')
  if (free !== null && /^[0-9]{1,9}$/.test(free)) await io.stderr.write(`free; ${free} more without paying\n`)
}

/** `paid` is what this call cost: nothing, when what an earlier one bought was used again. */
function costOf(payment: PaymentInfo | undefined): object {
  if (!payment) return { paid: '0 sat', fee: '0 sat', payment_hash: null, reused: false }
  const { amount, fee, paymentHash, reused } = payment
  const [paid, charged] = reused ? [Amount.ZERO, Amount.ZERO] : [amount, fee]
  return { paid: Amount.format(paid), fee: Amount.format(charged), payment_hash: Bytes.toHex(paymentHash), reused }
}

async function dryRun(
  { io, style, json }: FetchContext,
  request: FetchRequest,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { quote, response } = await inspectOffer(
    (url, init) => fetch(url, init),
    request.url,
    initOf(request, signal),
    { clock: io.clock },
  )
  await response.body?.cancel().catch(() => {})
  const { status } = response
  if (json) await io.stdout.write(`${JSON.stringify({ status, quote: quote ? quoteAsJson(quote) : null })}\n`)
  else if (quote) await io.stdout.write(quoteAsText(quote, { now: io.clock(), style }))
  else await io.stdout.write(`${status}: nothing to pay${status === 402 ? ' that can be read from the answer' : ''}\n`)
  return exits.OK.code
}

/** What fetch throws for a server that cannot be talked to is an outcome for us. Our own errors name our own options. */
function explain(error: unknown, url: URL): unknown {
  if (TallyError.is(error) && error.code === 'BUDGET_EXCEEDED')
    return new TallyError('BUDGET_EXCEEDED', `${error.message}; --max-cost raises that`, {
      details: error.details,
      cause: error,
    })
  if (!(error instanceof TypeError)) return withoutWallet(error)
  if (error.message.startsWith('headers:')) return new TallyError('USAGE', error.message, { cause: error })
  if (error.cause instanceof Error) {
    const reason = (error.cause as NodeJS.ErrnoException).code ?? error.cause.message
    return new TallyError('SERVER_UNREACHABLE', `${url.origin}: ${reason}`, { cause: error })
  }
  return /redirects/.test(error.message) ? new TallyError('SERVER_UNREACHABLE', error.message, { cause: error }) : error
}
