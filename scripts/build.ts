/** `npm run build`: each package to dist, library first, because the others are compiled against its declarations. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { bin, root, run, step, type Outcome } from './steps.ts'

export const packages = ['tallystick', 'tallystick-ldk', 'tallyd'] as const

export function build(name: (typeof packages)[number]): Outcome {
  rmSync(join(root, 'packages', name, 'dist'), { recursive: true, force: true })
  return run(bin('typescript', 'tsc'), '-p', `packages/${name}/tsconfig.build.json`)
}

if (import.meta.main) {
  const built = packages.map((name) => step(`build ${name}`, () => build(name)))
  if (built.includes(false)) process.exitCode = 1
}
