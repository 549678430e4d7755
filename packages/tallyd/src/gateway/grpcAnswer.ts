/**
 * What a gRPC client can read: it takes no status but 200 for an answer, and everything else from `grpc-status` and the
 * metadata beside it. The words of a challenge are those that Aperture's clients know it by.
 */
import type { Answer, Call } from 'tallystick/server'

export const isGrpc = ({ header }: Pick<Call, 'header'>): boolean =>
  header('content-type').some((type) => /^application\/grpc(?:[+;]|$)/i.test(type))

/** As grpc's own table for statuses of HTTP has them, but for 402, which it does not know. */
const STATUS: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  402: 13,
  403: 7,
  404: 12,
  429: 8,
  501: 12,
  503: 14,
}
const UNKNOWN = 2

export const CHALLENGE_MESSAGE = 'payment required'

export function grpcAnswer({ status, headers, body }: Answer): Answer {
  const message = status === 402 ? CHALLENGE_MESSAGE : messageOf(body)
  return {
    status: 200,
    headers: [
      ...headers.filter(([name]) => name.toLowerCase() !== 'content-type'),
      ['content-type', 'application/grpc'],
      ['grpc-status', `${STATUS[status] ?? UNKNOWN}`],
      ['grpc-message', message],
    ],
    body: '',
  }
}

/** Percent-encoded as gRPC has it. */
function messageOf(body: string): string {
  const { title = 'refused', detail = '' } =
    body === '' ? {} : (JSON.parse(body) as { title?: string; detail?: string })
  return encodeURIComponent(detail === '' ? title : `${title}: ${detail}`).replaceAll('%20', ' ')
}
