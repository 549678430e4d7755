/** "Did you mean": the known word that is few enough edits away to have been meant. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3))
  const near = known.map((name) => ({ name, edits: distance(word.toLowerCase(), name.toLowerCase()) }))
  return near.sort((a, b) => a.edits - b.edits).find(({ edits }) => edits <= limit)?.name
}

/** Levenshtein; words longer than any key are not worth the quadratic time. */
function distance(a: string, b: string): number {
  if (a.length > 64) return a.length
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}
