/** The log as others read it (c2sp.org/tlog-tiles), below a path of the gateway. Free, and for browsers of any origin. */
import type { Resource } from 'tallystick/server'
import type { OwnAnswer } from './ownPages.ts'

export interface LogPages {
  /** `/log`: where its origin says that it is. */
  readonly path: string
  readonly resource: (path: string) => Promise<Resource | undefined>
}

export async function logPage({ resource }: LogPages, method: string, path: string): Promise<OwnAnswer> {
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, headers: [['allow', 'GET, HEAD']], body: '' }
  const found = await resource(path)
  if (!found) return { status: 404, headers: [['cache-control', 'public, max-age=1']], body: '' }
  return {
    status: 200,
    headers: [
      ['content-type', found.type],
      ['cache-control', found.cache],
      ['access-control-allow-origin', '*'],
      ['x-content-type-options', 'nosniff'],
    ],
    body: method === 'HEAD' ? '' : found.body,
  }
}
