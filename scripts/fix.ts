/** `npm run fix`: formats, and repairs what the linter can. */
import { bin, run, step } from './steps.ts'

const steps = [
  step('format', () => run(bin('oxfmt'), '.')),
  step('lint', () => run(bin('oxlint'), '--type-aware', '--fix')),
]
if (steps.includes(false)) process.exitCode = 1
