/** What the gateway answers for itself, before any route: what is sold here, and what holders ask about what they handed on. */
import { TallyError } from 'tallystick/core'
import {
  problemAnswer,
  RECEIPTS_PATH,
  RESERVE_PATH,
  REVOKE_PATH,
  type Answer,
  type Call,
  type Desk,
} from 'tallystick/server'
import type { Service } from '../config.ts'
import { OPENAPI_PATH, openapiPage } from './openapiPage.ts'
import { logPage, type LogPages } from './logPages.ts'
import { SERVICES_PATH, servicesPage } from './servicesPage.ts'

/** Also bytes: tiles of the log. */
export type OwnAnswer = Omit<Answer, 'body'> & { readonly body: string | Uint8Array }

export interface OwnPages {
  /** Whether it is worth asking. */
  owns(path: string): boolean
  /** What logs and metrics call it: one of a few names, whatever strangers put behind them. */
  nameOf(path: string): string
  answer(call: Call, path: string): OwnAnswer | Promise<OwnAnswer> | undefined
}

export function createOwnPages(options: {
  readonly services: readonly Service[]
  readonly origin: string | undefined
  readonly desk: Desk | undefined
  readonly logPages: LogPages | undefined
}): OwnPages {
  const { services, origin, desk, logPages } = options
  const prefix = logPages && `${logPages.path}/`
  const owns = (path: string): boolean =>
    path.startsWith('/.well-known/') || (prefix !== undefined && path.startsWith(prefix))
  const answer: OwnPages['answer'] = (call, path) => {
    if (logPages && path.startsWith(prefix!)) return logPage(logPages, call.method, path.slice(prefix!.length))
    const { method, authority = '' } = call
    if (path === SERVICES_PATH && (method === 'GET' || method === 'HEAD')) {
      const page = servicesPage(services, { origin, authority })
      return method === 'HEAD' ? { ...page, body: '' } : page
    }
    if (path === OPENAPI_PATH && (method === 'GET' || method === 'HEAD')) {
      const page = openapiPage(services)
      return method === 'HEAD' ? { ...page, body: '' } : page
    }
    if (desk && method === 'POST' && (path === REVOKE_PATH || path === RESERVE_PATH))
      return desk(call).then((answer) => answer!)
    if (desk && method === 'GET' && path.startsWith(RECEIPTS_PATH))
      return desk(call).then((answer) => answer ?? problemAnswer(call, NONE))
    return undefined
  }
  const nameOf = (path: string): string => {
    if (path.startsWith(RECEIPTS_PATH)) return `${RECEIPTS_PATH}*`
    return prefix !== undefined && path.startsWith(prefix) ? `${prefix}**` : path
  }
  return { owns, nameOf, answer }
}

const NONE = new TallyError('RECEIPT_UNKNOWN', 'this service keeps no receipts')
