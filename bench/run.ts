/** `npm run bench`: every figure the docs quote, paired in one run. `--quick` for CI, `--only NAME,NAME`, `--json`; `--only soak --minutes N`. */
import { parseArgs } from 'node:util'
import { authzBench } from './authz.ts'
import { embeddedBench } from './embedded.ts'
import { evidenceBench } from './evidence.ts'
import { gatewayBench } from './gateway.ts'
import { postgresBench } from './postgres.ts'
import { proxyBench } from './proxy.ts'
import { logBench } from './log.ts'
import { receiptsBench } from './receipts.ts'
import { print, type Bench } from './report.ts'
import { soakBench } from './soak.ts'
import { verifyBench } from './verify.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '10' },
  },
})

const benches: Record<string, (options: { quick: boolean }) => Promise<Bench>> = {
  verify: verifyBench,
  evidence: evidenceBench,
  proxy: proxyBench,
  gateway: gatewayBench,
  receipts: receiptsBench,
  postgres: postgresBench,
  authz: authzBench,
  embedded: embeddedBench,
  log: logBench,
}

// Takes its time, so it runs only when it is asked for.
if (values.only === 'soak') benches['soak'] = () => soakBench({ minutes: Number(values.minutes) })

const only = values.only?.split(',') ?? Object.keys(benches)
const unknown = only.find((name) => !(name in benches))
if (unknown !== undefined) {
  console.error(`unknown bench "${unknown}"; there are: ${[...Object.keys(benches), 'soak'].join(', ')}`)
  process.exit(2)
}

const results: Bench[] = []
for (const [name, bench] of Object.entries(benches)) {
  if (!only.includes(name)) continue
  const result = await bench({ quick: values.quick })
  results.push(result)
  if (!values.json) print(result)
}
if (values.json) console.log(JSON.stringify(results, undefined, 2))
