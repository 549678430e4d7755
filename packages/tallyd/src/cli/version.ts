/** The version people quote in reports: that of the package this file was installed with. */
import { readFileSync } from 'node:fs'

export function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
