/** A quote, for people and programs that decide whether to pay it. */
import type { Quote } from 'tallystick/client'
import { Amount, Bytes, Terms } from 'tallystick/core'
import { describe, isoSeconds } from './describe.ts'
import type { Style } from './style.ts'
import { columns, printable } from './table.ts'
import { relative } from './time.ts'

export function quoteAsText(quote: Quote, { now, style }: { now: Date; style: Style }): string {
  const rows = [
    ['price', style.bold(Amount.format(quote.amount))],
    ['for', `${quote.method} ${printable(quote.origin + quote.path)}`],
    ['payable until', `${isoSeconds(quote.expires)} (${relative(quote.expires, now)})`],
    ['to node', Bytes.toHex(quote.payee)],
    ['payment hash', Bytes.toHex(quote.paymentHash)],
    ...(quote.description ? [['payee says', printable(quote.description)]] : []),
    ['terms', quote.terms ? promised(quote.terms) : 'none that the invoice commits to'],
  ]
  const caveats = quote.caveats.map((text) => [
    `  ${printable(text)}`,
    printable(describe({ id: new TextEncoder().encode(text) }, now).means),
  ])
  const buys = caveats.length > 0 ? `\nbuys a token with these limits\n${columns(caveats)}` : ''
  return `${columns(rows.map(([name, text]) => [style.dim(name!), text!]))}${buys}\nNothing was paid.\n`
}

const promised = ({ service, route, price }: Terms.Terms): string =>
  `${printable(`${route} of ${service}`)} at ${Amount.format(price)} a call, which the invoice commits to`

export function quoteAsJson(quote: Quote): object {
  return {
    method: quote.method,
    url: quote.origin + quote.path,
    amount: Amount.format(quote.amount),
    expires: quote.expires.toISOString(),
    payee: Bytes.toHex(quote.payee),
    payment_hash: Bytes.toHex(quote.paymentHash),
    description: quote.description ?? null,
    // Amounts and bytes as the terms themselves spell them.
    terms: quote.terms ? (JSON.parse(Terms.encode(quote.terms)) as unknown) : null,
    caveats: quote.caveats,
  }
}
