/** A file system of 1 MiB, where this process may mount one; the test is skipped where it may not. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export interface SmallDisk {
  readonly folder: string
  remount(mode: 'ro' | 'rw'): void
}

export function smallDisk(t: TestContext): SmallDisk | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'tallystick-disk-'))
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder])
  if (status !== 0) {
    rmdirSync(folder)
    t.skip('cannot mount a file system here')
    return undefined
  }
  t.after(() => {
    execFileSync('umount', [folder])
    rmdirSync(folder)
  })
  return { folder, remount: (mode) => void execFileSync('mount', ['-o', `remount,${mode}`, folder]) }
}
