/**
 * Spans for whoever brings an OpenTelemetry SDK (`node --import ./otel.mjs`): one per request, one below it for the upstream,
 * whose context goes on to it. Named after the route as written in tally.yaml; targets and headers may hold secrets and are
 * left out. Without an SDK there is nothing here, and a `traceparent` goes through as it came.
 */
import {
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api'
import type { AccessEntry } from './serve.ts'

export interface RequestTrace {
  /** The upstream is about to be asked; returns the header lines with the context of that. */
  readonly asks: (headers: string) => string
  readonly answered: (status: number) => void
  readonly over: (entry: Omit<AccessEntry, 'at'>) => void
}

export interface Tracing {
  readonly begin: (method: string, header: (name: string) => readonly string[]) => RequestTrace
}

/** undefined: nobody listens. An SDK is there before anything of ours runs, or not at all. */
export function createTracing(): Tracing | undefined {
  const tracer = trace.getTracer('tallystick')
  // Never ended, so never exported. Without an SDK, spans belong to no trace.
  if (!isSpanContextValid(tracer.startSpan('probe').spanContext())) return undefined
  return { begin: (method, header) => begin(tracer, method, header) }
}

type Header = (name: string) => readonly string[]

function begin(tracer: Tracer, method: string, header: Header): RequestTrace {
  const carrier = Object.fromEntries(propagation.fields().map((name) => [name, header(name.toLowerCase()).join(',')]))
  const from = propagation.extract(ROOT_CONTEXT, carrier)
  const server = tracer.startSpan(method, { kind: SpanKind.SERVER }, from)
  const within = trace.setSpan(from, server)
  let asked: Span | undefined
  return {
    asks(headers) {
      asked = tracer.startSpan(`${method} upstream`, { kind: SpanKind.CLIENT }, within)
      return withContext(headers, trace.setSpan(within, asked))
    },
    answered(status) {
      asked?.setAttribute('http.response.status_code', status)
    },
    over({ service, route, status, decision, code, aborted }) {
      if (asked && code?.startsWith('UPSTREAM_')) asked.setStatus({ code: SpanStatusCode.ERROR, message: code })
      asked?.end()
      if (route !== '') server.updateName(route)
      server.setAttributes({
        'http.request.method': method,
        'http.response.status_code': status,
        'http.route': route,
        'tally.service': service,
        'tally.decision': decision,
        ...(code !== undefined && { 'error.type': code }),
        ...(aborted && { 'tally.aborted': true }),
      })
      if (status >= 500) server.setStatus({ code: SpanStatusCode.ERROR, ...(code !== undefined && { message: code }) })
      server.end()
    },
  }
}

/** What the propagator writes takes the place of what came under those names. */
function withContext(headers: string, at: Context): string {
  const carrier: Record<string, string> = {}
  propagation.inject(at, carrier)
  const names = new Set(propagation.fields().map((name) => name.toLowerCase()))
  if (names.size === 0) return headers
  const kept = headers
    .split('\r\n')
    .filter((line) => line !== '' && !names.has(line.slice(0, line.indexOf(':')).toLowerCase()))
  const ours = Object.entries(carrier).map(([name, value]) => `${name}: ${value}`)
  return [...kept, ...ours].map((line) => `${line}\r\n`).join('')
}
