/**
 * What servers think the time is. They judge seals by their own clocks, and machines that wake up or start late are often
 * minutes off, so the `Date` of an answer corrects ours, for the server that sent it.
 */
import { discard } from './policy.ts'
import type { Outgoing } from './request.ts'

export interface Times {
  readonly now: (origin: string) => Date
  /** True when what is known of this server's clock changed by more than a seal bears. */
  readonly learn: (origin: string, date: string | null) => boolean
}

/** Milliseconds. Less than this may be the time the answer took. */
const MATTERS = 30_000

export function createTimes(clock: () => Date): Times {
  const ahead = new Map<string, number>()
  const aheadAt = (origin: string): number => ahead.get(origin) ?? 0
  return {
    now: (origin) => new Date(clock().getTime() + aheadAt(origin)),
    learn(origin, date) {
      const there = date === null ? Number.NaN : Date.parse(date)
      const difference = there - clock().getTime()
      const changed = Math.abs(difference - aheadAt(origin)) > MATTERS
      if (changed) ahead.set(origin, difference)
      return changed
    },
  }
}

/** Sends, and once more when the answer is a refusal and shows that we had the time wrong. */
export async function inTime(times: Times, { url, body }: Outgoing, send: () => Promise<Response>): Promise<Response> {
  const response = await send()
  const wrong = times.learn(url.origin, response.headers.get('date'))
  if (!wrong || response.status !== 403 || !body.replayable) return response
  await discard(response)
  return await send()
}
