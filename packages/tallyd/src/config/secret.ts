/** Reads what a secret reference points to. The value never appears in a message. */
import { readFileSync } from 'node:fs'
import { TallyError } from 'tallystick/core'
import type { SecretRef } from './values.ts'

/** The text without surrounding blanks. Throws CONFIG_INVALID when there is none. */
export function readSecret(ref: SecretRef, env: NodeJS.ProcessEnv = process.env): string {
  const where = ref.kind === 'env' ? `the environment variable ${ref.name}` : `the file ${ref.path}`
  const secret = (ref.kind === 'env' ? (env[ref.name] ?? '') : read(ref.path)).trim()
  if (secret === '') throw new TallyError('CONFIG_INVALID', `expected a secret in ${where}, found nothing`)
  return secret
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'error'
    throw new TallyError('CONFIG_INVALID', `cannot read the secret in ${path}: ${why}`, { cause })
  }
}

/** A macaroon of lnd in hex: lncli writes files of bytes, people write hex. */
export function readMacaroon(ref: SecretRef, env: NodeJS.ProcessEnv = process.env): string {
  if (ref.kind === 'env') return readSecret(ref, env)
  let bytes: Buffer
  try {
    bytes = readFileSync(ref.path)
  } catch {
    return readSecret(ref, env)
  }
  const text = bytes.toString('latin1').trim()
  return /^[0-9A-Fa-f]+$/.test(text) ? text : bytes.toString('hex')
}
