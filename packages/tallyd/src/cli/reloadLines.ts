/** What a reload did, for people. */
import type { ConfigDiff } from '../config/diff.ts'

export function reloadLines({ changes, restart, warnings }: ConfigDiff): readonly string[] {
  return [
    ...(changes.length === 0 ? ['nothing changed in what is served'] : changes),
    ...(restart.length > 0 ? [`as before until a restart: ${restart.join(', ')}`] : []),
    ...warnings.map((text) => `warning: ${text}`),
  ]
}
