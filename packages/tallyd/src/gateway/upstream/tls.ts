/**
 * TLS towards upstreams: always verified, by chain and by name. There is no switch for less, and the one that Node has in
 * its environment (NODE_TLS_REJECT_UNAUTHORIZED) does not count here.
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { createSecureContext, type ConnectionOptions, type SecureContext } from 'node:tls'
import { TallyError } from 'tallystick/core'
import type { Upstream, UpstreamTls } from '../../config.ts'

export interface Trust {
  readonly context: SecureContext
  /** Instead of the host in the address. */
  readonly serverName: string | undefined
}

/** Reads the files of a service. Throws CONFIG_INVALID that names the file. */
export function readTrust(tls: UpstreamTls = {}): Trust {
  const { ca, cert, key, serverName } = tls
  const files = { ...(ca && { ca: read(ca) }), ...(cert && { cert: read(cert) }), ...(key && { key: read(key) }) }
  try {
    return { context: createSecureContext(files), serverName }
  } catch (cause) {
    // What OpenSSL says of a key file may quote it.
    const named = [ca, cert, key].filter((path) => path !== undefined).join(', ')
    throw new TallyError(
      'CONFIG_INVALID',
      `expected PEM in ${named}: ${(cause as NodeJS.ErrnoException).code ?? 'error'}`,
    )
  }
}

function read(path: string): Buffer {
  let pem: Buffer
  try {
    pem = readFileSync(path)
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'error'
    throw new TallyError('CONFIG_INVALID', `cannot read ${path}: ${why}`, { cause })
  }
  // OpenSSL takes a file without any certificate for a list of none.
  if (!pem.includes('-----BEGIN ')) throw new TallyError('CONFIG_INVALID', `expected PEM in ${path}`)
  return pem
}

export function tlsOptions({ host, port }: Upstream, { context, serverName }: Trust): ConnectionOptions {
  const name = serverName ?? (isIP(host) === 0 ? host : undefined)
  return {
    host,
    port,
    secureContext: context,
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
    ...(name !== undefined && { servername: name }),
  }
}

const UNKNOWN_CA = 'nobody we trust vouches for its certificate (tls.ca says whom to trust)'

const NOT_TLS = 'it does not speak TLS'

const reasons: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  CERT_REVOKED: 'its certificate was revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_CA,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_CA,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_CA,
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name (tls.server_name says which one to expect)',
  ERR_SSL_WRONG_VERSION_NUMBER: NOT_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NOT_TLS,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it wants a certificate from us (tls.cert)',
}

/** For the operator: the system's word, and what it means where that is not plain. */
export function reasonOf({ code = 'error', message }: NodeJS.ErrnoException): string {
  // What fails in the middle of a write is EPROTO, and OpenSSL's word for it is in the message only.
  const reason = reasons[code] ?? (/wrong version number|packet length too long/.test(message) ? NOT_TLS : undefined)
  return reason === undefined ? code : `${reason}: ${code}`
}
