/** The certificate that clients see, read from its files and checked before anybody meets it. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { TallyError } from 'tallystick/core'
import type { Config } from '../config.ts'

export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** Throws CONFIG_INVALID, and says nothing of what is in the files. */
export function readCertificate(files: NonNullable<Config['tls']>): Certificate {
  const certificate = { cert: read(files.cert), key: read(files.key) }
  let matches: boolean
  try {
    matches = new X509Certificate(certificate.cert).checkPrivateKey(createPrivateKey(certificate.key))
    if (matches) createSecureContext(certificate)
  } catch (cause) {
    throw new TallyError(
      'CONFIG_INVALID',
      `expected a certificate in ${files.cert} and its key in ${files.key}, in PEM`,
      {
        cause,
      },
    )
  }
  if (!matches) throw new TallyError('CONFIG_INVALID', `the key in ${files.key} is not that of ${files.cert}`)
  return certificate
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'error'
    throw new TallyError('CONFIG_INVALID', `cannot read ${path}: ${why}`, { cause })
  }
}
