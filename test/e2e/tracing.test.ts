/** Spans, as an SDK sees them that was there before us. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { propagation, trace, type TextMapPropagator } from '@opentelemetry/api'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { createTracing } from '../../packages/tallyd/src/gateway/trace.ts'
import { ask, dial, isComplete, rawServer, rig } from '../hostile/wire.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

/** A test double of the W3C propagator, as far as `traceparent` goes. */
const traceparent: TextMapPropagator = {
  fields: () => ['traceparent'],
  inject(context, carrier, setter) {
    const { traceId, spanId } = trace.getSpanContext(context)!
    setter.set(carrier, 'traceparent', `00-${traceId}-${spanId}-01`)
  },
  extract(context, carrier, getter) {
    const text = getter.get(carrier, 'traceparent')
    const [, traceId, spanId] = /^00-(\w{32})-(\w{16})-01$/.exec(String(text)) ?? []
    if (traceId === undefined || spanId === undefined) return context
    return trace.setSpanContext(context, { traceId, spanId, traceFlags: 1, isRemote: true })
  },
}

const answering = () =>
  rawServer((connection) => {
    connection.socket.on('data', () => connection.send(OK))
  })

test('without an SDK there is nothing to do, and what came goes on as it is', async () => {
  assert.equal(createTracing(), undefined)
  await using upstream = await answering()
  await using gateway = await rig(upstream.port)
  await ask(gateway.port, `GET /a HTTP/1.1\r\nHost: a\r\nTraceparent: ${PARENT}\r\n\r\n`)
  assert.match(upstream.seen, new RegExp(`^traceparent: ${PARENT}\r$`, 'im'))
})

test('with one, a request is a span by its route, the upstream one below it, and hears of it', async () => {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  trace.setGlobalTracerProvider(provider)
  propagation.setGlobalPropagator(traceparent)
  try {
    await using upstream = await answering()
    await using gateway = await rig(upstream.port)
    using client = dial(gateway.port)
    client.send(`GET /a?secret-query HTTP/1.1\r\nHost: a\r\ntraceparent: ${PARENT}\r\nX-Secret: secret-header\r\n\r\n`)
    await client.until(isComplete)
    await gateway.entry(0)
    const [below, server] = exporter.getFinishedSpans()
    assert.equal(exporter.getFinishedSpans().length, 2)
    assert.equal(server!.spanContext().traceId, PARENT.slice(3, 35))
    assert.equal(server!.parentSpanContext?.spanId, PARENT.slice(36, 52))
    assert.equal(below!.parentSpanContext?.spanId, server!.spanContext().spanId)
    const { route } = await gateway.entry(0)
    assert.equal(server!.name, route)
    assert.equal(server!.attributes['http.response.status_code'], 200)
    assert.equal(below!.attributes['http.response.status_code'], 200)
    assert.equal(server!.attributes['tally.decision'], (await gateway.entry(0)).decision)
    const told = upstream.seen.match(/^traceparent: (.+)\r$/gim)
    assert.deepEqual(told, [`traceparent: 00-${PARENT.slice(3, 35)}-${below!.spanContext().spanId}-01\r`])
    const shown = JSON.stringify(exporter.getFinishedSpans().map(({ name, attributes }) => [name, attributes]))
    assert.doesNotMatch(shown, /secret/)

    exporter.reset()
    await upstream[Symbol.asyncDispose]()
    await ask(gateway.port, 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n')
    await gateway.entry(1)
    const [failed, answered] = exporter.getFinishedSpans()
    assert.deepEqual(
      [failed!.status.message, answered!.attributes['error.type']],
      Array(2).fill('UPSTREAM_UNREACHABLE'),
    )
  } finally {
    trace.disable()
    propagation.disable()
  }
})
