import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { errors } from 'tallystick/core'
import { commands } from './cli/commands.ts'
import { exitFor, exits } from './cli/exit.ts'
import { BrokenPipe } from './cli/Io.ts'
import { parseCommand } from './cli/parse.ts'
import { testIo, type TestIoOptions } from './cli/testIo.ts'
import { main } from './main.ts'

const dir = mkdtempSync(join(tmpdir(), 'tally-main-'))
after(() => rmSync(dir, { recursive: true }))

async function run(argv: readonly string[], options: TestIoOptions = {}) {
  const io = testIo({ cwd: dir, ...options })
  const code = await main(argv, io)
  return { code, out: io.out(), err: io.err() }
}

/** The arguments of an example, as a shell would split them. */
function argumentsOf(line: string, name: string): string[] {
  assert.ok(line.startsWith(`tally ${name}`), line)
  const words = line.slice(`tally ${name}`.length).match(/'[^']*'|\S+/g) ?? []
  const end = words.findIndex((word) => /^(?:<|>|\||&&)$/.test(word))
  return words.slice(0, end === -1 ? words.length : end).map((word) => word.replaceAll("'", ''))
}

test('every command has help with examples that its own parser accepts', async () => {
  const { code, out } = await run([])
  assert.equal(code, 0)
  for (const command of commands) {
    const { name, summary, examples } = command
    assert.ok(out.split('\n').some((line) => line.startsWith(`  ${name} `) && line.endsWith(`  ${summary}`)))
    assert.ok(examples.length >= 2, `${name} has examples`)
    for (const [line] of examples) assert.doesNotThrow(() => parseCommand(command, argumentsOf(line, name)), line)
    for (const argv of [
      [...name.split(' '), '--help'],
      ['help', ...name.split(' ')],
    ]) {
      const help = await run(argv)
      assert.equal(help.code, 0)
      assert.ok(help.out.includes(`Usage  tally ${name}`) && help.out.includes('Examples'), help.out)
    }
  }
  for (const { code } of Object.values(exits)) assert.match(out, new RegExp(`^  ${code} `, 'm'))
})

test('help of a group lists its commands', async () => {
  for (const argv of [['token'], ['token', '--help'], ['help', 'token']]) {
    const { code, out } = await run(argv)
    assert.equal(code, 0)
    assert.match(out, /^  token delegate /m)
  }
})

test('--version and version print it', async () => {
  for (const argv of [['--version'], ['version']]) assert.match((await run(argv)).out, /^tally \d+\.\d+\.\d+\n$/)
})

test('a wrong command line is USAGE, exit 2, with what was probably meant', async () => {
  const wrong: [string[], RegExp][] = [
    [['tokn'], /no command "tokn"; did you mean `tally token`\?/],
    [['token', 'inspct'], /did you mean `tally token inspect`\?/],
    [['frobnicate'], /no command "frobnicate"\n/],
    [['help', 'frobnicate'], /no command "frobnicate"/],
    [['--frob', 'token'], /unknown option --frob before the command/],
    [['token', 'inspect', '--show-preimag'], /did you mean --show-preimage\?\nfix: See `tally token inspect --help`/],
    [['token', 'inspect', 'a', 'b'], /unexpected argument "b"/],
  ]
  for (const [argv, message] of wrong) {
    const { code, out, err } = await run(argv)
    assert.equal(code, 2, argv.join(' '))
    assert.equal(out, '')
    assert.match(err, message)
  }
})

test('errors are JSON with --json, wherever it stands', async () => {
  for (const argv of [
    ['--json', 'nope'],
    ['token', 'inspect', '!', '--json'],
  ]) {
    const { code, err } = await run(argv)
    const { error, exit } = JSON.parse(err) as { error: { code: string; message: string; fix: string }; exit: number }
    assert.equal(exit, code)
    assert.ok(error.code in errors && error.message !== '' && error.fix !== '')
  }
})

test('colour only on a terminal, and only if wanted', async () => {
  const coloured = async (argv: string[], options: TestIoOptions) => (await run(argv, options)).out.includes('\u001b[')
  assert.equal(await coloured([], { tty: true }), true)
  assert.equal(await coloured([], { tty: false }), false)
  assert.equal(await coloured(['--no-color'], { tty: true }), false)
  assert.equal(await coloured([], { tty: true, env: { NO_COLOR: '1' } }), false)
  assert.equal(await coloured([], { tty: true, env: { TERM: 'dumb' } }), false)
})

test('a reader that leaves early is no failure', async () => {
  const io = testIo()
  const gone = { isTTY: false, write: () => Promise.reject(new BrokenPipe()) }
  assert.equal(await main([], { ...io, stdout: gone }), 0)
  assert.equal(await main(['nope'], { ...io, stdout: gone, stderr: gone }), 1)
})

test('what is not an outcome is reported as a bug, with its stack on request', async () => {
  const broken = (env: Record<string, string>) => {
    const io = testIo({ env })
    const stdout = { isTTY: false, write: () => Promise.reject(new RangeError('oops')) }
    return main([], { ...io, stdout }).then((code) => ({ code, err: io.err() }))
  }
  const { code, err } = await broken({})
  assert.equal(code, 1)
  assert.match(err, /^error BUG: oops\nfix: This is a bug in tally/)
  assert.ok(!err.includes('main.test.ts'))
  assert.match((await broken({ TALLY_DEBUG: '1' })).err, /RangeError: oops\n +at /)
})

test('every error code has an exit code of the table', () => {
  const known = new Set<number>(Object.values(exits).map(({ code }) => code))
  for (const code of Object.keys(errors)) assert.ok(known.has(exitFor(code as keyof typeof errors)))
})

test('config check lists what is sold, or every mistake with its line', async () => {
  const good = join(dir, 'good.yaml')
  writeFileSync(
    good,
    'lightning: sim\nservices:\n  qr:\n    upstream: http://127.0.0.1:1\n    expires: 1h\n    routes:\n      GET /qr/**: 10 sat\n      GET /free: free\n      GET /five: { price: 2 sat, uses: 5 }\n',
  )
  const table = await run(['config', 'check', good, '--no-color'], { tty: true })
  assert.equal(table.code, 0)
  assert.match(table.out, /^qr +GET \/qr\/\*\* +10 sat +10 sat +1 call +1 h$/m)
  assert.match(table.out, /^qr +GET \/free +free/m)
  assert.match(table.out, /^qr +GET \/five +2 sat +10 sat +5 calls +1 h$/m)
  const example = join(import.meta.dirname, '../../../examples/llm.yaml')
  const modes = (await run(['config', 'check', example, '--no-color'], { tty: true })).out
  assert.match(
    modes,
    /200 sat per 1000 units; 100 sat at first, up to 400 sat +5000 sat +a balance +30 d +free: 3 in 1 d/,
  )
  assert.match(modes, /asked, up to 50 sat +5000 sat +a balance +30 d +at most 120 in/)
  const piped = JSON.parse((await run(['config', 'check', 'good.yaml'])).out) as { services: { routes: unknown[] }[] }
  assert.equal(piped.services[0]?.routes.length, 3)

  writeFileSync(join(dir, 'tally.yaml'), 'lightning: sim\nlisten: 8402\nservcies: {}\n')
  const bad = await run(['config', 'check'])
  assert.equal(bad.code, 1)
  assert.match(bad.err, /^error CONFIG_INVALID:\n  .*tally\.yaml:1:1 services: .*\n  .*tally\.yaml:2:9 listen: /)
  assert.match(bad.err, /tally\.yaml:3:1 servcies: unknown key; did you mean `services`\?/)
  assert.equal((await run(['config', 'check', 'none.yaml'])).code, 1)
  writeFileSync(join(dir, 'latin1.yaml'), Buffer.from([0xff, 0x0a]))
  assert.match((await run(['config', 'check', 'latin1.yaml'])).err, /CONFIG_INVALID: latin1\.yaml:1:1 expected UTF-8/)
})
