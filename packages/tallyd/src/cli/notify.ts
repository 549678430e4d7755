/**
 * Tells systemd how far we are (sd_notify(3)). Node cannot send to a datagram socket of a path, so systemd's own tool does;
 * its messages come from another process, hence `NotifyAccess=all` in deploy/systemd/tally.service.
 */
import { execFile } from 'node:child_process'

export type Notice = 'ready' | 'stopping'

/** Resolves in any case: whoever does not listen is not told. */
export function notifySystemd(env: Readonly<Record<string, string | undefined>>, notice: Notice): Promise<void> {
  if (env['NOTIFY_SOCKET'] === undefined) return Promise.resolve()
  const said = notice === 'ready' ? ['--ready', `--pid=${process.pid}`] : ['STOPPING=1']
  return new Promise((resolve) => {
    execFile('systemd-notify', said, { env: { ...env }, timeout: 5000 }, () => resolve())
  })
}
