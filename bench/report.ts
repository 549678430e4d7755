/** What every bench returns, and how it is printed. Ratios are the result; absolute figures say only what this machine did today. */
export interface Row {
  readonly name: string
  readonly value: string
  /** What we want it to be, when the project set itself a goal. */
  readonly goal?: string
  readonly met?: boolean
}

export interface Bench {
  readonly title: string
  readonly rows: readonly Row[]
}

export function print({ title, rows }: Bench): void {
  const width = Math.max(...rows.map(({ name }) => name.length))
  const valueWidth = Math.max(...rows.map(({ value }) => value.length))
  console.log(`\n${title}`)
  for (const { name, value, goal, met } of rows) {
    const verdict = goal === undefined ? '' : `  goal ${goal}${met === undefined ? '' : met ? '  met' : '  MISSED'}`
    console.log(`  ${name.padEnd(width)}  ${value.padStart(valueWidth)}${verdict}`)
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
