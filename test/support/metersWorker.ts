/**
 * A process that checks tokens as a gateway does and has the charges taken by the store process. Each try appends a caveat
 * of its own. When the store process is gone it says so, waits for another one, and asks again for all it has no answer to.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { AT_ONCE, attempt, say, type Work } from './metersAttempt.ts'

async function run(work: Work): Promise<void> {
  const waiting = new Map<string, ReturnType<typeof attempt>>()
  let made = 0
  for (;;) {
    const connection = connect(work.socket)
    // Not with once(), which an error would reject; how it ended does not matter.
    const lost = new Promise((resolve) => connection.on('close', resolve))
    const ask = ({ message }: ReturnType<typeof attempt>): void => void connection.write(`${JSON.stringify(message)}\n`)
    const more = (): void => {
      while (waiting.size < AT_ONCE && made < work.tries) {
        const next = attempt(work, made++)
        waiting.set(next.message.key, next)
        ask(next)
      }
      if (waiting.size === 0) connection.end()
    }
    const lines = createInterface({ input: connection }).on('error', () => {})
    connection.on('error', () => {})
    lines.on('line', (line) => {
      const { key, ok } = JSON.parse(line) as { key: string; ok: boolean }
      say({ type: 'answer', token: waiting.get(key)!.token, ok })
      waiting.delete(key)
      more()
    })
    for (const again of waiting.values()) ask(again)
    more()
    await lost
    if (waiting.size === 0) break
    say({ type: 'lost' })
    await once(process, 'message')
  }
  say({ type: 'done' })
  process.disconnect!()
}

process.once('message', (work: Work) => void run(work))
