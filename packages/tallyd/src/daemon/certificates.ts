/** When the certificates that tally.yaml names end: ours, those we show to upstreams, and those that vouch for upstreams. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { TallyError } from 'tallystick/core'
import type { Config } from '../config.ts'
import { readCertificate } from '../gateway/certificate.ts'
import { readTrust } from '../gateway/upstream/tls.ts'
import { failure, type Check } from '../cli/Check.ts'
import { relative } from '../cli/time.ts'

/** Automatic renewal has failed for a while by then. */
const SOON = 14 * 86_400_000
const name = 'certificate'

export function checkCertificates({ tls, services }: Config, now: Date): readonly Check[] {
  const checks: Check[] = []
  const seen = new Set<string>()
  const look = (path: string | undefined, use: () => unknown, ends: Ends): void => {
    if (path === undefined || seen.has(path)) return
    seen.add(path)
    try {
      use()
      checks.push(lifeOf(path, ends, now))
    } catch (error) {
      checks.push(failure(name, error))
    }
  }
  if (tls) look(tls.cert, () => readCertificate(tls), first)
  for (const { tls: upstream } of services) {
    if (!upstream) continue
    const use = (): unknown => readTrust(upstream)
    look(upstream.cert, use, first)
    // Of several that may vouch, the last one that is left is what counts.
    look(upstream.ca, use, last)
  }
  return checks
}

type Ends = (times: readonly number[]) => number
const first: Ends = (times) => Math.min(...times)
const last: Ends = (times) => Math.max(...times)

function lifeOf(path: string, ends: Ends, now: Date): Check {
  const blocks = readFileSync(path, 'utf8').match(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw new TallyError('CONFIG_INVALID', `expected a certificate in ${path}, in PEM`)
  const certificates = blocks.map((block) => parse(path, block))
  const end = new Date(ends(certificates.map(({ validTo }) => Date.parse(validTo))))
  const begin = new Date(Math.max(...certificates.map(({ validFrom }) => Date.parse(validFrom))))
  const fix = 'Renew it, then `tally gateway reload`.'
  if (end <= now)
    return { name, state: 'fail', found: `${path} ended ${relative(end, now)}, on ${end.toISOString()}`, fix }
  if (begin > now && ends === first)
    return { name, state: 'fail', found: `${path} begins ${relative(begin, now)}`, fix: 'Set the clock, or wait.' }
  const found = `${path} ends ${relative(end, now)}, on ${end.toISOString()}`
  return end.getTime() - now.getTime() < SOON ? { name, state: 'warn', found, fix } : { name, state: 'ok', found }
}

function parse(path: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw new TallyError('CONFIG_INVALID', `expected certificates in ${path}, in PEM`, { cause })
  }
}
