/**
 * What every npm script runs first: makes sure that node_modules is what
 * package-lock.json says, then hands over to the Node that the lock pins. Plain JS for Node 20.20, because on a fresh
 * clone there is nothing else. It hands over directly and not through a second npm, which would add its own half second
 * and its own opinion about Ctrl-C.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const targets = {
  start: ['--conditions=source', 'packages/tallyd/bin/tally.js', 'up', '--demo'],
  test: ['scripts/test.ts'],
  check: ['scripts/check.ts'],
  bench: ['--conditions=source', 'bench/run.ts'],
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

const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
if (!installed()) install()
run(pinnedNode() ?? ownNode(), [...target, ...extra])

/** npm writes node_modules/.package-lock.json last, so an install that was interrupted does not count. */
function installed() {
  const hidden = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(hidden)) return false
  const present = JSON.parse(readFileSync(hidden, 'utf8')).packages
  for (const [path, wanted] of Object.entries(lock.packages)) {
    if (!path.startsWith('node_modules/')) continue
    const found = present[path]
    if (!found && wanted.optional && !path.startsWith('node_modules/node-')) continue
    if (!found && !isForThisMachine(wanted)) continue
    if (!found || found.version !== wanted.version || found.integrity !== wanted.integrity) return false
  }
  return true
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
  console.error(`Installed in ${((Date.now() - started) / 1000).toFixed(1)} s.\n`)
}

/** The Node in node_modules. Absent where the lock has none for this platform, and on musl, where it could not run. */
function pinnedNode() {
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (!/^node_modules\/node-(?:bin-)?(?:linux|darwin|win)-/.test(path) || !isForThisMachine(entry)) continue
    if (process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime) return undefined
    const manifest = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'))
    return join(root, path, manifest.bin.node)
  }
  return undefined
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
  setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), 500).unref()
  child.on('error', (error) => stop(`could not start ${node}: ${error.message}`))
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code)
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name)
    process.kill(process.pid, signal)
  })
}

function isForThisMachine({ os = process.platform, cpu = process.arch }) {
  return [os].flat().includes(process.platform) && [cpu].flat().includes(process.arch)
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
