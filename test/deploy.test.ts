/**
 * What is in deploy/, as far as it can be told without the machines it is for: systemd's own check and Helm's where they
 * are installed (TALLY_REQUIRE=systemd,helm makes a missing one a failure), and always what would be dangerous to lose.
 * No container engine runs here, so the Dockerfile is read and not built.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse, parseAllDocuments } from 'yaml'
import { loadConfig } from '../packages/tallyd/src/config.ts'
import { root } from '../scripts/steps.ts'

const read = (path: string): string => readFileSync(join(root, 'deploy', path), 'utf8')
const required = (process.env['TALLY_REQUIRE'] ?? '').split(',')
const helm = process.env['HELM'] ?? 'helm'

function missing(name: string, command: string): string | false {
  if (spawnSync(command, ['version'], { stdio: 'ignore' }).error === undefined) return false
  assert.ok(!required.includes(name), `${name} is required and ${command} is not here`)
  return `${command} is not installed`
}

const unit = read('systemd/tally.service')
const template = read('systemd/tally@.service')

test('the unit: notified, hardened, and patient enough for the drain', () => {
  const keys = new Map([...unit.matchAll(/^(\w+)=(.*)$/gm)].map((match) => [match[1]!, match[2]!]))
  const wanted = {
    Type: 'notify',
    NotifyAccess: 'all',
    DynamicUser: 'yes',
    NoNewPrivileges: 'yes',
    ProtectSystem: 'strict',
    CapabilityBoundingSet: '',
    MemoryDenyWriteExecute: 'no',
    SuccessExitStatus: '130',
    LoadCredential: 'key:/etc/tally/key',
  }
  for (const [key, value] of Object.entries(wanted)) assert.equal(keys.get(key), value, key)
  assert.match(keys.get('ExecReload')!, /-HUP \$MAINPID$/)
  assert.ok(Number(keys.get('TimeoutStopSec')) > 30)
})

test('the template differs from the unit in what each instance has of its own, and in nothing else', () => {
  const rules = (text: string): string => text.slice(text.indexOf('[Unit]'))
  const own = rules(unit)
    .replace('Tallystick gateway', 'Tallystick gateway %i')
    .replaceAll('/etc/tally/tally.yaml', '/etc/tally/%i.yaml')
    .replace('StateDirectory=tally', 'StateDirectory=tally/%i')
  assert.equal(rules(template), own)
})

for (const [file, text] of [
  ['tally.service', unit],
  ['tally@one.service', template],
] as const)
  test(`systemd takes the unit ${file}`, { skip: missing('systemd', 'systemd-analyze') }, () => {
    const dir = mkdtempSync(join(tmpdir(), 'tally-unit-'))
    const path = join(dir, file)
    // Only what it starts is not here.
    writeFileSync(path, text.replaceAll('/usr/local/bin/tally', '/bin/true'))
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' })
    rmSync(dir, { recursive: true })
    assert.equal(status, 0, stdout + stderr)
    const about = (stdout + stderr).split('\n').filter((line) => line.includes(file))
    assert.equal(about.join('\n'), '')
  })

test('the image: two stages, nobody special, no build tools, a health check', () => {
  const text = read('docker/Dockerfile')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
  const lines = text.split('\n').filter((line) => line !== '')
  const stages = lines.flatMap((line, i) => (line.startsWith('FROM ') ? [i] : []))
  assert.equal(stages.length, 2)
  const last = lines.slice(stages[1])
  assert.ok(last.includes('USER node'))
  assert.ok(!last.some((line) => /npm|apt-get|^ADD /.test(line)))
  assert.ok(last.findIndex((line) => line === 'USER node') > last.findLastIndex((line) => line.startsWith('RUN ')))
  for (const word of ['ENTRYPOINT', 'CMD']) {
    const line = last.find((line) => line.startsWith(`${word} `))!
    assert.ok(Array.isArray(JSON.parse(line.slice(word.length))), 'as a list: the signal must reach node itself')
  }
  assert.match(
    last.find((line) => line.startsWith('HEALTHCHECK'))!,
    /127\.0\.0\.1:9402\/healthz/,
  )
  assert.match(read('docker/Dockerfile.dockerignore'), /^\*\*\/key$/m)
})

const values = parse(read('helm/tally/values.yaml')) as { config: string; drain: { wait: number; timeout: number } }

test('the chart: what must not get lost from its templates', () => {
  const deployment = read('helm/tally/templates/deployment.yaml')
  for (const line of [
    'runAsNonRoot: true',
    'readOnlyRootFilesystem: true',
    'allowPrivilegeEscalation: false',
    'capabilities: { drop: [ALL] }',
    'automountServiceAccountToken: false',
    'terminationGracePeriodSeconds: {{ add (int .Values.drain.wait) (int .Values.drain.timeout) 10 }}',
    'strategy: { type: Recreate }',
  ])
    assert.ok(deployment.includes(line), line)
  assert.ok(!read('helm/tally/templates/service.yaml').includes('targetPort: admin'))
})

interface Manifest {
  readonly kind: string
  readonly data?: Record<string, string>
  readonly spec: {
    readonly template: {
      readonly spec: { terminationGracePeriodSeconds: number; containers: { readinessProbe: { httpGet: object } }[] }
    }
  }
}

test('helm takes the chart, and tally the config in it', { skip: missing('helm', helm) }, () => {
  const run = (...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync(helm, args, { encoding: 'utf8' })
    assert.equal(status, 0, stdout + stderr)
    return stdout
  }
  const chart = join(root, 'deploy/helm/tally')
  run('lint', '--strict', chart)
  const manifests = parseAllDocuments(run('template', 'shop', chart)).map((doc) => doc.toJS() as Manifest)
  assert.deepEqual(manifests.map(({ kind }) => kind).sort(), [
    'ConfigMap',
    'Deployment',
    'PodDisruptionBudget',
    'Service',
  ])
  const config = loadConfig(manifests.find(({ kind }) => kind === 'ConfigMap')!.data!['tally.yaml']!, 'tally.yaml')
  assert.deepEqual(config.drain, values.drain)
  assert.equal(config.admin!.listen.port, 9402)
  const { spec } = manifests.find(({ kind }) => kind === 'Deployment')!.spec.template
  assert.equal(spec.terminationGracePeriodSeconds, values.drain.wait + values.drain.timeout + 10)
  assert.deepEqual(spec.containers[0]!.readinessProbe.httpGet, { path: '/readyz', port: 'admin' })
})

test('what the chart writes into tally.yaml is taken, also where helm is not installed', () => {
  const head = `listen: 0.0.0.0:8402
admin: { listen: "0.0.0.0:9402" }
drain: { wait: ${values.drain.wait}s, timeout: ${values.drain.timeout}s }
log: { format: json }
key: file:/etc/tally-key/key
state: /var/lib/tally/state
`
  const template = read('helm/tally/templates/configmap.yaml')
  for (const line of head.split('\n').filter((line) => line !== '' && !line.startsWith('drain')))
    assert.ok(template.includes(`    ${line}\n`), line)
  assert.equal(loadConfig(head + values.config, 'tally.yaml').services.length, 1)
})
