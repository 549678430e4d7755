/**
 * The processes of a bench: what is measured has a core of its own where there is one to spare, and its time is read from
 * outside, which costs it nothing. Neighbours on a busy machine disturb CPU time per request less than requests per second.
 */
import { execFileSync, fork, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** What is measured, and everything else. */
const CORES = { measured: '0', rest: '1' } as const

/** With all of its threads, those to come included. Where it cannot be done, the scheduler decides. */
export function pin(pid: number, where: keyof typeof CORES): void {
  if (availableParallelism() < 2) return
  try {
    execFileSync('taskset', ['-a', '-p', '-c', CORES[where], `${pid}`], { stdio: 'ignore' })
  } catch {
    // Not Linux, or a container that may not say.
  }
}

/** Microseconds of all threads so far; NaN where the system does not tell. */
export function cpuOf(pid: number): number {
  try {
    const times = readdirSync(`/proc/${pid}/task`).map((thread) =>
      Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
    )
    return times.reduce((sum, time) => sum + time, 0) / 1000
  } catch {
    return Number.NaN
  }
}

/** The next message, or why there will be none. */
export const once = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`bench child ended with ${code}`))
    child.once('exit', onExit)
    child.once('message', (message) => {
      child.off('exit', onExit)
      resolve(message as T)
    })
  })

/** A module of ours as a process, up when it says on which port. Its V8 profile goes to `TALLY_BENCH_PROFILE`, if that is a folder. */
export async function start(file: string, args: readonly string[]): Promise<{ child: ChildProcess; port: number }> {
  const folder = process.env['TALLY_BENCH_PROFILE']
  const profile = folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`]
  const child = fork(file, args, { execArgv: ['--conditions=source', ...profile] })
  return { child, port: await once<number>(child) }
}
