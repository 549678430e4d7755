/** `--request 'GET https://api.example.com/v1/search?q=1'`: a request to judge a token by, without sending it. */
import { Amount, Path, TallyError, type Action, type Macaroon } from 'tallystick/core'
import { readCaveats } from './caveatTexts.ts'
import { amountOption } from './values.ts'

export const requestOptions = {
  request: { type: 'value', value: "'GET /path'", help: 'also: would it allow this request, now? A path or a URL' },
  cost: { type: 'value', value: 'AMOUNT', help: 'price of that request (default 0 sat)' },
  service: { type: 'value', value: 'NAME', help: 'service of that request (default: the first that the token names)' },
  from: { type: 'value', value: 'ADDRESS', help: 'address of the client that sends it, for net=' },
} as const

export interface RequestOptions {
  readonly request: string | undefined
  readonly cost: string | undefined
  readonly service: string | undefined
  readonly from: string | undefined
}

export function readAction(
  { request, cost, service, from }: RequestOptions & { readonly request: string },
  macaroon: Macaroon.Macaroon,
  now: Date,
): Action {
  const [, verb, target] = /^([A-Z]+) (\S+)$/.exec(request) ?? []
  if (verb === undefined || target === undefined)
    throw new TallyError('USAGE', `--request: expected a method and a path or URL, such as 'GET /qr/hello'`)
  const origin = /^https?:\/\/[^/?#]*/i.exec(target)?.[0]
  const { path, query } = Path.canonicalTarget(target.slice(origin?.length ?? 0) || '/')
  return {
    service: service ?? firstService(macaroon),
    verb,
    path,
    query,
    cost: cost === undefined ? Amount.ZERO : amountOption('--cost', cost),
    now,
    ...(origin !== undefined && { host: hostOf(origin) }),
    ...(from !== undefined && { ip: from }),
  }
}

function hostOf(url: string): string {
  if (!URL.canParse(url)) throw new TallyError('USAGE', '--request: that is not a URL')
  return new URL(url).host
}

function firstService(macaroon: Macaroon.Macaroon): string {
  const named = readCaveats(macaroon).find(({ key }) => key === 'services')
  if (!named)
    throw new TallyError('USAGE', 'the token names no service: say which one the request is for, with --service')
  return named.text.slice('services='.length).split(/[:,]/, 1)[0]!
}
