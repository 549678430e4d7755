/**
 * Times as people say them. Always beside the exact time, never instead of it.
 */

const units: readonly (readonly [seconds: number, name: string])[] = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
]

/** "59 min", "2 d": the largest unit that fits, rounded down so that nothing seems longer than it is. */
export function span(milliseconds: number): string {
  const seconds = Math.floor(Math.abs(milliseconds) / 1000)
  const [size, name] = units.find(([size]) => seconds >= size) ?? [1, 's']
  return `${Math.floor(seconds / size)} ${name}`
}

/** "in 59 min" or "3 h ago". */
export function relative(when: Date, now: Date): string {
  const ahead = when.getTime() - now.getTime()
  return ahead >= 0 ? `in ${span(ahead)}` : `${span(ahead)} ago`
}

/** Seconds with one decimal, for progress: "0.4 s". */
export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`
