/** What every bench returns, and how it is printed. Ratios are the result; absolute figures say only what this machine did today. */
export interface Row {
  readonly name: string
  readonly value: string
  /** The same by CPU time per request. */
  readonly cpu?: string
  readonly p99?: string
  /** What we want it to be, when the project set itself a goal. */
  readonly goal?: string
  readonly met?: boolean
}

export interface Bench {
  readonly title: string
  readonly rows: readonly Row[]
}

export function print({ title, rows }: Bench): void {
  const columns = (['name', 'value', 'cpu', 'p99'] as const).filter((key) => rows.some((row) => row[key] !== undefined))
  const widths = columns.map((key) => Math.max(key.length, ...rows.map((row) => row[key]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')
  console.log(`\n${title}`)
  if (columns.length > 2) console.log(`  ${line(columns.map((key) => HEADS[key]))}`)
  for (const row of rows) {
    const { goal, met } = row
    const verdict = goal === undefined ? '' : `  goal ${goal}${met === undefined ? '' : met ? '  met' : '  MISSED'}`
    console.log(`  ${line(columns.map((key) => row[key] ?? ''))}${verdict}`.trimEnd())
  }
}

const HEADS = { name: '', value: '', cpu: 'CPU', p99: 'p99' } as const

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
