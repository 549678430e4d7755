/** `npm run check`: everything that can be said about the tree without running the product. All steps run; one failure fails it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, packages } from './build.ts'
import { bin, root, run, step } from './steps.ts'

const started = performance.now()
const tsc = bin('typescript', 'tsc')
const results = [
  step('types', () => run(tsc, '-p', '.')),
  step('types: core knows neither Node nor the rest', () => run(tsc, '-p', 'packages/tallystick/src/core')),
  // Before lint: where an old dist lies about, type-aware rules would judge by it.
  ...packages.map((name) => step(`build ${name}`, () => build(name))),
  step('lint', () => run(bin('oxlint'), '--type-aware', '--deny-warnings')),
  step('format', () => run(bin('oxfmt'), '--check', '.')),
  step('generated docs are up to date, API included', () => run('scripts/docs.ts', '--check')),
  step('layers, errors, documents', () => runTests('architecture', 'errors', 'docs')),
  step('sizes', () => runTests('size')),
  ...packages.map((name) => step(`publint ${name}`, () => run(bin('publint'), `dist/${name}`, '--strict'))),
  step('what would be published runs', () => run('scripts/smoke.ts')),
  step('no package runs code when it is installed', installScripts),
]
const failed = results.filter((ok) => !ok).length
const seconds = ((performance.now() - started) / 1000).toFixed(1)
console.log(
  failed === 0 ? `\nClean, in ${seconds} s.` : `\n${failed} of ${results.length} steps failed, in ${seconds} s.`,
)
process.exitCode = failed === 0 ? 0 : 1

function runTests(...names: readonly string[]): ReturnType<typeof run> {
  return run('--test', '--test-reporter=spec', ...names.map((name) => `test/${name}.test.ts`))
}

/** Ours and those we make users install: a native addon or a postinstall script is a decision, not a habit. */
function installScripts(): ReturnType<typeof run> {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { hasInstallScript?: boolean; dev?: boolean }>
  }
  const wrong = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript && !entry.dev)
  for (const name of readdirSync(join(root, 'packages'))) {
    const manifest = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as {
      scripts?: object
    }
    if (manifest.scripts) wrong.push([`packages/${name}`, {}])
  }
  return { ok: wrong.length === 0, output: wrong.map(([path]) => `${path} has an install script`).join('\n') }
}
