import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { TallyError, type ErrorCode } from 'tallystick/core'
import { createState, findState, masterKey } from './state.ts'
import { forgetWallet, knownWallet, recordWallet, walletPlace } from './state/wallet.ts'

const root = mkdtempSync(join(tmpdir(), 'tally-state-'))
after(() => rmSync(root, { recursive: true }))

const withCode = (code: ErrorCode) => (error: unknown) => TallyError.is(error) && error.code === code
const mode = (path: string): number => statSync(path).mode & 0o777

test('the directory is private, and the key survives and is never replaced', async () => {
  const state = await createState(join(root, 'a', '.tally'))
  assert.equal(mode(state.dir), 0o700)
  assert.equal(readFileSync(join(state.dir, '.gitignore'), 'utf8'), '*\n')

  const keys = await Promise.all([masterKey(state), masterKey(state), masterKey(state)])
  assert.equal(mode(state.key), 0o600)
  const again = await masterKey(await createState(state.dir))
  for (const key of keys) assert.equal(key.unsafeHex(), again.unsafeHex())

  writeFileSync(state.key, 'half a k')
  await assert.rejects(masterKey(state), withCode('KEY_INVALID'))
  assert.equal(readFileSync(state.key, 'utf8'), 'half a k')
})

test('a directory that cannot be made is named', async () => {
  writeFileSync(join(root, 'file'), '')
  await assert.rejects(createState(join(root, 'file', '.tally')), withCode('FILE_UNAVAILABLE'))
})

test('the nearest state directory above is found, as long as it is ours', async () => {
  const deep = join(root, 'b', 'c', 'd')
  mkdirSync(deep, { recursive: true })
  // The machine may have one further up.
  assert.ok(!findState(deep)?.dir.startsWith(root))
  await createState(join(root, 'b', '.tally'))
  assert.equal(findState(deep)?.dir, join(root, 'b', '.tally'))
  writeFileSync(join(deep, '.tally'), 'not a directory')
  assert.equal(findState(deep)?.dir, join(root, 'b', '.tally'))
})

test('the wallet is served in the state directory and found through its record', async () => {
  const state = await createState(join(root, 's'))
  assert.deepEqual(await walletPlace(state), { socket: join(state.dir, 'wallet.sock') })
  assert.equal(knownWallet(state), undefined)
  await recordWallet(state, { address: 'unix:/a' })
  assert.deepEqual(knownWallet(state), { address: 'unix:/a' })
  assert.equal(mode(join(state.dir, 'wallet.json')), 0o600)
  writeFileSync(join(state.dir, 'wallet.json'), '{"address":')
  assert.equal(knownWallet(state), undefined)
  await forgetWallet(state)
  await forgetWallet(state)
  assert.equal(knownWallet(state), undefined)
})

test('a socket path too long for the system moves to a private temporary directory, the same next time', async () => {
  const state = await createState(join(root, 'x'.repeat(120)))
  const place = async (): Promise<string> => ((await walletPlace(state)) as { socket: string }).socket
  const socket = await place()
  assert.ok(Buffer.byteLength(socket) <= 103)
  assert.equal(mode(dirname(socket)), 0o700)
  await recordWallet(state, { address: `unix:${socket}` })
  assert.equal(await place(), socket)

  chmodSync(dirname(socket), 0o755)
  const other = await place()
  assert.notEqual(other, socket)
  for (const path of [socket, other]) rmSync(dirname(path), { recursive: true })
})

test('where there are no unix sockets the wallet gets a port and a token', async () => {
  const state = await createState(join(root, 'w'))
  const place = await walletPlace(state, 'win32')
  assert.ok('token' in place && place.token.length === 64)
  await recordWallet(state, { address: 'http://127.0.0.1:1', token: place.token })
  assert.equal(knownWallet(state)?.token, place.token)
})
