import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { TallyError } from 'tallystick/core'
import { startUpstream } from './upstream.ts'

test('draws QR codes as SVG and as text, and refuses what does not fit', async () => {
  await using upstream = await startUpstream({ port: 0 })
  const get = (path: string, method = 'GET'): Promise<Response> => fetch(upstream.url + path, { method })

  const svg = await get('/qr/hello')
  assert.equal(svg.headers.get('content-type'), 'image/svg+xml')
  const drawn = await svg.text()
  assert.match(drawn, /^<svg .*<\/svg>$/s)
  assert.notEqual(drawn, await (await get('/qr/goodbye')).text())
  assert.equal(drawn, await (await get('/qr/%68ello?size=1')).text())

  assert.match(await (await get('/text/hello')).text(), /^█▀▀▀/)
  assert.deepEqual(await (await get('/health')).json(), { ok: true })
  assert.equal((await get('/qr/hello', 'HEAD')).headers.get('content-length'), String(drawn.length))

  assert.equal((await get(`/qr/${'x'.repeat(2953)}`)).status, 200)
  assert.equal((await get(`/qr/${'x'.repeat(2954)}`)).status, 414)
  assert.equal((await get('/qr/%ff')).status, 404)
  assert.equal((await get('/qr/')).status, 404)
  assert.equal((await get('/qr/hello', 'POST')).status, 405)
})

test('says when its port is taken', async () => {
  const blocker = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => blocker.once('listening', resolve))
  const { port } = blocker.address() as { port: number }
  await assert.rejects(startUpstream({ port }), (error) => TallyError.is(error) && error.code === 'PORT_TAKEN')
  await new Promise((resolve) => blocker.close(resolve))
})
