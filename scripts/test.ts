/**
 * `npm test [-- part-of-a-path …] [--node-test-option=…]`
 *
 * Unit tests share one process (a process per file costs ten times the CPU); whatever kills processes, owns ports or
 * loads WASM gets its own. One run of node's test runner holds both, so there is one summary at the end.
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { root } from './steps.ts'

const options = process.argv.slice(2).filter((argument) => argument.startsWith('-'))
const filters = process.argv.slice(2).filter((argument) => !argument.startsWith('-'))

const all = globSync(['packages/*/src/**/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts'], { cwd: root })
  .map((path) => path.replaceAll('\\', '/'))
  .toSorted()
const wanted = filters.length === 0 ? all : all.filter((path) => filters.some((part) => matches(path, part)))
if (wanted.length === 0) {
  console.error(`No test file has ${filters.map((part) => `"${part}"`).join(' or ')} in its path.`)
  process.exit(1)
}

// Fuzzing at length is bound by the CPU: give every file its own process, so that it uses all of them.
const alone = process.env['FUZZ_RUNS'] ? wanted : wanted.filter((path) => !isUnit(path))
const units = wanted.filter((path) => !alone.includes(path))
const files = units.length > 1 ? ['scripts/units.ts', ...alone] : [...units, ...alone]

const started = performance.now()
const child = spawn(
  process.execPath,
  [
    '--conditions=source',
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${Math.max(2, availableParallelism() - 1)}`,
    ...options,
    ...files,
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, TALLY_UNITS: JSON.stringify(units.map((path) => join(root, path))) },
  },
)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill('SIGTERM'))
child.on('exit', (code) => {
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${code === 0 ? 'Passed' : 'Failed'}: ${wanted.length} test files in ${seconds} s.`)
  process.exitCode = code ?? 1
})

function isUnit(path: string): boolean {
  return /^packages\/tally(?:stick|d)\/src\//.test(path) || /^test\/[^/]+$/.test(path)
}

function matches(path: string, part: string): boolean {
  return path.toLowerCase().includes(part.toLowerCase())
}
