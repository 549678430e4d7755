/**
 * `npm run build`: compiles each package to packages/NAME/dist, library first because the others are compiled against
 * its declarations, and lays out in dist/NAME exactly what would be published: no tests, no TypeScript, no `source`
 * condition, the licence inside.
 */
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bin, root, run, step, type Outcome } from './steps.ts'

export const packages = ['tallystick', 'tallystick-ldk', 'tallyd'] as const
type Name = (typeof packages)[number]

export function build(name: Name): Outcome {
  const folder = join(root, 'packages', name)
  rmSync(join(folder, 'dist'), { recursive: true, force: true })
  const outcome = run(bin('typescript', 'tsc'), '-p', `packages/${name}/tsconfig.build.json`)
  if (!outcome.ok) return outcome
  for (const path of globSync('dist/**/*.d.ts', { cwd: folder })) rewriteImports(join(folder, path))
  stage(name)
  const wrong = globSync('dist/**/*.js', { cwd: folder }).filter((path) =>
    /['"`]\.{1,2}\/[^'"`]*\.ts['"`]/.test(readFileSync(join(folder, path), 'utf8')),
  )
  return {
    ok: wrong.length === 0,
    output: wrong.map((path) => `${path} still names a .ts file; take the extension from import.meta.url.`).join('\n'),
  }
}

/** tsc leaves `.ts` in the imports of declarations; only new compilers resolve that to `.d.ts`. */
function rewriteImports(path: string): void {
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, text.replaceAll(/((?:from|import)\s*\(?\s*['"]\.[^'"]+)\.ts(['"])/g, '$1.js$2'))
}

/** Makes dist/NAME, from which `npm publish` would run. */
function stage(name: Name): void {
  const from = join(root, 'packages', name)
  const to = join(root, 'dist', name)
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to, { recursive: true })
  const text = readFileSync(join(from, 'package.json'), 'utf8')
  const manifest = JSON.parse(text, (key, value: unknown) => (key === 'source' ? undefined : value)) as {
    files: string[]
  }
  for (const part of manifest.files) cpSync(join(from, part), join(to, part), { recursive: true })
  cpSync(join(root, 'LICENSE'), join(to, 'LICENSE'))
  cpSync(join(from, 'README.md'), join(to, 'README.md'))
  writeFileSync(join(to, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

if (import.meta.main) {
  const built = packages.map((name) => step(`build ${name}`, () => build(name)))
  if (built.includes(false)) process.exitCode = 1
}
