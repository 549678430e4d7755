/** The demo's config. One source: this reads the file that people are told to copy. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig, type Config } from '../config.ts'

const FILE = new URL('../../demo.tally.yaml', import.meta.url)

/** Its paths are relative to `cwd`, as if the file were there. */
export function demoConfig(cwd: string): Config {
  return loadConfig(readFileSync(FILE, 'utf8'), join(cwd, 'demo.tally.yaml'))
}
