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
  const head = ['SERVICE', 'ROUTE', 'PRICE', 'INVOICE', 'BUYS', 'USABLE FOR'].map(bold)
  const rows = config.services.flatMap(({ name, routes }) =>
    routes.map(({ key, offer }) => [name, key, ...(offer ? terms(offer) : ['free', '-', '-', '-'])]),
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

function terms(offer: Offer): readonly string[] {
  return [Amount.format(offer.price), Amount.format(invoiceAmount(offer)), buys(offer), span(offer.lifetime * 1000)]
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
    services: services.map(({ name, upstream, routes }) => ({
      name,
      ...(upstream && { upstream: upstream.origin }),
      routes: routes.map(route),
    })),
  }
}

function route({ key, offer }: Route): object {
  if (!offer) return { route: key, free: true }
  return {
    route: key,
    price: Amount.format(offer.price),
    invoice: Amount.format(invoiceAmount(offer)),
    buys: buys(offer),
    lifetime_seconds: offer.lifetime,
  }
}
