/**
 * What every npm script runs first: makes sure that node_modules is what package-lock.json says, then hands over to the
 * Node that the lock pins. Plain JS for Node 20.20, because on a fresh clone there is nothing else. It hands over
 * directly and not through a second npm, which would add half a second and its own opinion about Ctrl-C.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const targets = {
  start: ['--conditions=source', 'packages/tallyd/bin/tally.js', 'up', '--demo'],
  test: ['scripts/test.ts'],
  check: ['scripts/check.ts'],
  bench: ['--conditions=source', 'bench/run.ts'],
  'bench:gateway': ['--conditions=source', 'bench/run.ts', '--only', 'gateway,authz'],
  build: ['scripts/build.ts'],
  docs: ['--conditions=source', 'scripts/docs.ts'],
  fix: ['scripts/fix.ts'],
}

const [name = '', ...extra] = process.argv.slice(2)
const target = targets[name]
if (!target) stop(`expected one of: ${Object.keys(targets).join(', ')}. Use npm: \`npm start\`, \`npm test\`.`)
if (!atLeast(process.versions.node, '20.20'))
  stop(
    `This needs Node 20.20 or newer to start and you have ${process.versions.node}: install it from https://nodejs.org and try again.`,
  )

const lockText = readFileSync(join(root, 'package-lock.json'), 'utf8')
const lock = JSON.parse(lockText)
const digest = createHash('sha256').update(lockText).digest('hex')
const marker = join(root, 'node_modules/.tally-lock')
if (!installed()) install()
run(pinnedNode() ?? ownNode(), [...target, ...extra])

/**
 * Either we installed exactly this lock file, or npm's own record says the same: somebody ran `npm ci` by hand. npm
 * writes that record last, so an install that was interrupted does not count.
 */
function installed() {
  const node = pinnedNode()
  if (node && !existsSync(node)) return false
  if (existsSync(marker) && readFileSync(marker, 'utf8') === digest) return true
  const record = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(record)) return false
  const present = JSON.parse(readFileSync(record, 'utf8')).packages
  return Object.entries(lock.packages)
    .filter(([path]) => path.startsWith('node_modules/'))
    .every(([path, { version, integrity, optional }]) =>
      present[path] ? present[path].version === version && present[path].integrity === integrity : optional,
    )
}

function install() {
  const started = Date.now()
  console.error('Installing the pinned dependencies, Node included (about 400 MB, once) …')
  const options = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = process.env.npm_execpath
  const result =
    npm && /\.[cm]?js$/.test(npm)
      ? spawnSync(process.execPath, [npm, ...options], { cwd: root, stdio: 'inherit' })
      : spawnSync('npm', options, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' })
  if (result.error || result.signal || result.status !== 0)
    stop('The install failed, see above. Check the network and free disk space, then run the same command again.')
  writeFileSync(marker, digest)
  console.error(`Installed in ${((Date.now() - started) / 1000).toFixed(1)} s.\n`)
}

/** Where the lock puts the Node for this machine: nowhere on rarer platforms, and on musl, where it could not run. */
function pinnedNode() {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  const path = [`node_modules/${name}`, `node_modules/${name.replace('node-', 'node-bin-')}`].find(
    (p) => lock.packages[p],
  )
  if (!path) return undefined
  if (process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime) return undefined
  return join(root, path, process.platform === 'win32' ? 'bin/node.exe' : 'bin/node')
}

function ownNode() {
  if (atLeast(process.versions.node, '22.18')) return process.execPath
  return stop(
    `There is no pinned Node for ${process.platform}-${process.arch}: install Node 22.18 or newer (you have ${process.versions.node}) and try again.`,
  )
}

/** Runs to the end with our exit code. Whoever stops us stops the child, once. */
function run(node, args) {
  const child = spawn(node, args, { cwd: root, stdio: 'inherit' })
  const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  process.on('SIGINT', () => {
    if (!onTerminal) child.kill('SIGINT') // a terminal sends Ctrl-C to the whole group, so the child has it already
  })
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  // npm passes SIGTERM to a shell that dies of it and tells nobody: notice that we were orphaned
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    child.kill('SIGTERM')
  }, 500)
  child.on('error', (error) => stop(`could not start ${node}: ${error.message}`))
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code)
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name)
    process.kill(process.pid, signal)
  })
}

function atLeast(version, wanted) {
  const [major, minor] = version.split('.').map(Number)
  const [wantedMajor, wantedMinor] = wanted.split('.').map(Number)
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}

function stop(message) {
  console.error(message)
  process.exit(1)
}
