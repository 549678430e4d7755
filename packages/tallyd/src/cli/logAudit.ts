/** `tally log audit`: who did what, from the receipts that this gateway keeps. Reads beside a gateway that runs. */
import { join, resolve } from 'node:path'
import { Receipt, TallyError } from 'tallystick/core'
import type { BookQuery, Entry } from 'tallystick/storage'
import { readSqliteBook } from 'tallystick/storage/sqlite'
import { parseDuration } from '../config/values.ts'
import { findState, stateAt } from '../state.ts'
import { stateOption } from './admin.ts'
import { defineCommand } from './Command.ts'
import { isoSeconds } from './describe.ts'
import { exits } from './exit.ts'
import { columns, printable } from './table.ts'
import { intOption } from './values.ts'

const MOST = 1000

export const logAudit = defineCommand({
  name: 'log audit',
  summary: 'Find receipts by agent, link, token, service and time',
  args: '',
  maxArgs: 0,
  options: {
    agent: { type: 'value', value: 'NAME', help: 'whoever acted: the last link of the token' },
    link: { type: 'value', value: 'NAME', help: 'all that was handed on at this link, at whatever distance' },
    token: { type: 'value', value: 'HEX', help: 'all of a token by its id, or all below a link by its tag' },
    service: { type: 'value', value: 'NAME', help: 'of this service' },
    kind: { type: 'value', value: 'KIND', help: `only ${Object.keys(Receipt.kinds).join(', ')}` },
    since: { type: 'value', value: 'TIME', help: 'at it or later: 24h for a day ago, or a date' },
    until: { type: 'value', value: 'TIME', help: 'before it' },
    after: { type: 'value', value: 'N', help: 'behind this place in the log' },
    limit: { type: 'value', value: 'N', help: `as many at most (default ${MOST})` },
    csv: { type: 'flag', help: 'as CSV with a header line' },
    state: stateOption,
  },
  notes: `Names of links are what their givers wrote: claims. What was dropped is listed without its content; the log still has its leaf.
With --json one object, its "receipts" in the order of the log.`,
  examples: [
    ['tally log audit --link scout-7 --since 24h', 'what scout-7 and all it handed on to did today'],
    ['tally log audit --kind denial --csv', 'what was refused, for a spreadsheet'],
  ],
  async run({ io, style, json, options }) {
    const state = options.state === undefined ? findState(io.cwd) : stateAt(resolve(io.cwd, options.state))
    if (!state)
      throw new TallyError('FILE_UNAVAILABLE', `no state of a gateway at or above ${io.cwd}; --state names one`)
    await using book = readSqliteBook(join(state.dir, 'log.db'))
    const entries = await book.find(queryOf(options, io.clock()))
    const rows = entries.map(rowOf)
    if (json) await io.stdout.write(`${JSON.stringify({ receipts: rows })}\n`)
    else if (options.csv) await io.stdout.write(csv(rows))
    else
      await io.stdout.write(
        columns(
          rows.map(({ time, kind, agent, service, route, result, index }) => [
            style.dim(`${index}`),
            time,
            kind,
            printable(agent || '-'),
            printable([service, route].filter(Boolean).join(' ') || '-'),
            printable(result),
          ]),
        ),
      )
    return exits.OK.code
  },
})

interface Values {
  readonly agent: string | undefined
  readonly link: string | undefined
  readonly token: string | undefined
  readonly service: string | undefined
  readonly kind: string | undefined
  readonly since: string | undefined
  readonly until: string | undefined
  readonly after: string | undefined
  readonly limit: string | undefined
}

function queryOf({ agent, link, token, service, kind, since, until, after, limit }: Values, now: Date): BookQuery {
  if (kind !== undefined && !Object.hasOwn(Receipt.kinds, kind))
    throw new TallyError('USAGE', `--kind: expected one of ${Object.keys(Receipt.kinds).join(', ')}`)
  if (token !== undefined && !/^[0-9a-f]{64}$/.test(token))
    throw new TallyError('USAGE', '--token: expected 64 lower-case hex digits')
  return {
    agent,
    link,
    tag: token,
    service,
    kind: kind as Receipt.KindName | undefined,
    since: since === undefined ? undefined : ago('--since', since, now),
    until: until === undefined ? undefined : ago('--until', until, now),
    after: after === undefined ? undefined : intOption('--after', after, { min: 0, max: 1e15 }),
    limit: limit === undefined ? MOST : intOption('--limit', limit, { min: 1, max: 1_000_000 }),
  }
}

/** `24h` is a day ago. */
function ago(option: string, text: string, now: Date): Date {
  try {
    const time = /^[0-9]{4}-/.test(text) ? Date.parse(text) : now.getTime() - parseDuration(text) * 1000
    if (!Number.isNaN(time)) return new Date(time)
  } catch (error) {
    if (!TallyError.is(error)) throw error
  }
  throw new TallyError('USAGE', `${option}: expected a time such as 90m, 24h, 7d or 2026-11-22T12:00:00Z`)
}

/** One receipt, flat. */
function rowOf({ id, kind, index, at, service, hands, deal, content }: Entry) {
  const fields = content ? Receipt.parse(Receipt.decode(content.envelope).payload).fields : {}
  const act = (fields['act'] ?? {}) as Readonly<Record<string, unknown>>
  const links = hands.flatMap(({ link }) => link ?? [])
  return {
    index,
    time: isoSeconds(at),
    kind,
    id,
    service,
    route: text(act['route']),
    agent: links.at(-1) ?? '',
    links: links.join(' > '),
    token: hands[0]?.tag ?? '',
    payment_hash: deal,
    cost_msat: text(fields['cost_msat']),
    result: content
      ? text(fields['reason'] ?? act['status'] ?? (fields['settle'] as { source?: string })?.source)
      : 'dropped',
  }
}

const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? `${value}` : '')

function csv(rows: readonly ReturnType<typeof rowOf>[]): string {
  const names = [
    'index',
    'time',
    'kind',
    'id',
    'service',
    'route',
    'agent',
    'links',
    'token',
    'payment_hash',
    'cost_msat',
    'result',
  ] as const
  const lines = rows.map((row) => names.map((name) => cell(`${row[name]}`)).join(','))
  return [names.join(','), ...lines, ''].join('\r\n')
}

/** Names that others chose must not become formulas of a spreadsheet. */
function cell(value: string): string {
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
