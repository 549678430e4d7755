// What an embedding costs: by the kilobyte that is sent. Named in llm.yaml; anything but a whole number of msat sells nothing.
export function price({ headers }) {
  const kilobytes = Math.ceil(Number(headers['content-length'] ?? 64_000) / 1000)
  return { msat: Math.min(50_000, 500 + 250 * kilobytes) }
}
