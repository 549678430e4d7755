/** `tally config check`: every mistake at once, or what the file sells. */
import { Amount } from 'tallystick/core'
import { invoiceAmount, type Offer } from 'tallystick/server'
import type { Config, Route } from '../config.ts'
import { defineCommand } from './Command.ts'
import { CONFIG_FILE, readConfig } from './configFile.ts'
import { exits } from './exit.ts'
import { columns } from './table.ts'
import { span } from './time.ts'

export const configCheck = defineCommand({
  name: 'config check',
  summary: 'Check tally.yaml and show what it sells',
  args: '[FILE]',
  maxArgs: 1,
  options: {},
  notes: `FILE defaults to ${CONFIG_FILE} here. Nothing is started. Mistakes go to stderr as FILE:LINE:COLUMN, exit code 1.
A table on a terminal, JSON when piped.`,
  examples: [
    ['tally config check', ''],
    ['tally config check /etc/tally.yaml && systemctl restart tally', 'before a restart'],
  ],
  async run({ io, style, json, args }) {
    const config = await readConfig(io, args[0])
    const asTable = io.stdout.isTTY && !json
    await io.stdout.write(asTable ? table(config, style.bold) : `${JSON.stringify(summary(config), null, 2)}\n`)
    return exits.OK.code
  },
})

function table(config: Config, bold: (text: string) => string): string {
  const head = ['SERVICE', 'ROUTE', 'PRICE', 'INVOICE', 'BUYS', 'USABLE FOR', 'AND'].map(bold)
  const rows = config.services.flatMap(({ name, routes }) =>
    routes.map((route) => [
      name,
      route.key,
      ...(route.offer ? terms(route, route.offer) : ['free', '-', '-', '-']),
      rules(route),
    ]),
  )
  const { host, port } = config.listen
  const about = `Lightning: ${config.lightning.kind}, store: ${storeOf(config)}, state in ${config.state}`
  return `${columns([head, ...rows])}\nlistens on ${host}:${port}, ${about}\n`
}

/** Without the user, and there is no password in it. */
function storeOf({ store }: Config): string {
  if (store.kind === 'sqlite') return `sqlite:${store.path}`
  return store.kind === 'memory' ? 'memory' : `postgres://${store.host}:${store.port}/${store.database}`
}

function terms(route: Route, offer: Offer): readonly string[] {
  const most = route.priceFrom && offer.mode.kind !== 'budget' ? 'up to ' : ''
  return [priceText(route, offer), most + Amount.format(invoiceAmount(offer)), buys(offer), span(offer.lifetime * 1000)]
}

/** How the price of a call is found. */
function priceText({ meter, priceFrom }: Route, { price, metered }: Offer): string {
  if (priceFrom) return `asked, up to ${Amount.format(price)}`
  if (!metered || !meter) return Amount.format(price)
  const { per } = meter
  const units = per.units === 1n ? 'unit' : `${per.units} units`
  const most = metered.max > price ? `, up to ${Amount.format(metered.max)}` : ''
  return `${Amount.format(per.price)} per ${units}; ${Amount.format(price)} at first${most}`
}

/** What holds beside the price. */
function rules({ rate, offer }: Route): string {
  const times = (count: number, seconds: number): string => `${count} in ${span(seconds * 1000)}`
  const said = [
    offer?.shadow && 'SHADOW MODE: NOT CHARGED',
    offer?.free && `free: ${times(offer.free.perClient.count, offer.free.perClient.seconds)} for each client`,
    rate && `at most ${times(rate.count, rate.seconds)} from one client`,
  ]
  return said.filter(Boolean).join('; ')
}

function buys({ mode }: Offer): string {
  if (mode.kind === 'uses') return mode.uses === 1 ? '1 call' : `${mode.uses} calls`
  return mode.kind === 'budget' ? 'a balance' : 'any calls'
}

function summary(config: Config): object {
  const { listen, state, lightning, services } = config
  return {
    ok: true,
    listen,
    state,
    store: storeOf(config),
    lightning: lightning.kind,
    services: services.map(({ name, upstreams, routes }) => ({
      name,
      ...(upstreams.length > 0 && { upstreams: upstreams.map(({ origin }) => origin) }),
      routes: routes.map(route),
    })),
  }
}

function route(route: Route): object {
  const { key, offer, rate } = route
  const limit = rate && { requests_per_client: { count: rate.count, seconds: rate.seconds, of: rate.of } }
  if (!offer) return { route: key, free: true, ...limit }
  return {
    route: key,
    price: priceText(route, offer),
    invoice: Amount.format(invoiceAmount(offer)),
    buys: buys(offer),
    lifetime_seconds: offer.lifetime,
    ...(offer.free && {
      free_per_client: { count: offer.free.perClient.count, seconds: offer.free.perClient.seconds },
    }),
    ...(offer.shadow && { shadow: true }),
    ...limit,
  }
}
