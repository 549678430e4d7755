import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { notifySystemd } from './notify.ts'

test(
  'systemd hears that we are ready and that we stop, from its own tool',
  { skip: process.platform === 'win32' },
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'tally-notify-'))
    const tool = join(dir, 'systemd-notify')
    writeFileSync(tool, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> ${join(dir, 'said')}\n`)
    chmodSync(tool, 0o755)
    const env = { NOTIFY_SOCKET: '/run/x', PATH: `${dir}${delimiter}${process.env['PATH']}` }
    await notifySystemd(env, 'ready')
    await notifySystemd(env, 'stopping')
    await notifySystemd({}, 'ready')
    assert.equal(readFileSync(join(dir, 'said'), 'utf8'), `/run/x --ready --pid=${process.pid}\n/run/x STOPPING=1\n`)
    // Nobody to tell it through is no reason not to start.
    await notifySystemd({ NOTIFY_SOCKET: '/run/x', PATH: '' }, 'ready')
    rmSync(dir, { recursive: true })
  },
)
