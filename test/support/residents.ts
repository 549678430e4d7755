/** Starts residents, sends them orders, and searches everything they have for what they must not know. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, globSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Order, RawRequest } from './resident.ts'

export interface Answered {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface Resident extends AsyncDisposable {
  readonly dir: string
  tally(...argv: readonly string[]): Promise<Answered>
  /** Sends a request that no `tally` command would. */
  raw(request: RawRequest): Promise<Answered>
  /** Where each of `secrets` is found: files of its directory, its heap, its whole memory if we may look. */
  search(
    secrets: Readonly<Record<string, Uint8Array>>,
  ): Promise<{ readonly looked: string[]; readonly found: string[] }>
}

export async function resident(name: string): Promise<Resident> {
  const dir = mkdtempSync(path.join(tmpdir(), `tally-${name}-`))
  const child = fork(path.join(import.meta.dirname, 'resident.ts'), [], {
    cwd: dir,
    execArgv: ['--conditions=source'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const ask = async (order: Order): Promise<Answered> => {
    child.send(order)
    const [answer] = (await once(child, 'message')) as [Answered]
    return answer
  }
  return {
    dir,
    tally: (...argv) => ask({ argv }),
    raw: (request) => ask({ raw: request }),
    async search(secrets) {
      const looked: string[] = []
      const found: string[] = []
      const look = (where: string, bytes: Buffer): void => {
        for (const [name, secret] of Object.entries(secrets))
          if (bytes.includes(secret)) found.push(`${name} in ${where}`)
      }
      for (const file of globSync('**/*', { cwd: dir }))
        if (statSync(path.join(dir, file)).isFile()) look(file, readFileSync(path.join(dir, file)))
      looked.push('files')
      const memory = readMemory(child, look)
      if (memory) looked.push('memory')
      const snapshot = path.join(dir, 'x.heapsnapshot')
      await ask({ snapshot })
      look('heap', readFileSync(snapshot))
      rmSync(snapshot)
      looked.push('heap')
      return { looked, found }
    },
    async [Symbol.asyncDispose]() {
      child.disconnect()
      await once(child, 'exit')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

const PIECE = 8 << 20
/** Longer than any secret, so that none is cut in two. */
const OVERLAP = 4096

/** False where the system has no such file or does not let us read it. */
function readMemory({ pid }: ChildProcess, look: (where: string, bytes: Buffer) => void): boolean {
  let maps: string
  let memory: number
  try {
    maps = readFileSync(`/proc/${pid}/maps`, 'latin1')
    memory = openSync(`/proc/${pid}/mem`, 'r')
  } catch {
    return false
  }
  const buffer = Buffer.alloc(PIECE)
  for (const [, from, to] of maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm))
    for (let at = BigInt(`0x${from}`); at < BigInt(`0x${to}`); at += BigInt(PIECE - OVERLAP)) {
      const length = Number(BigInt(`0x${to}`) - at)
      const read = readPiece(memory, buffer, Math.min(PIECE, length), at)
      look('memory', buffer.subarray(0, read))
    }
  closeSync(memory)
  return true
}

/** Pages that are not there, or not for reading, count as nothing. */
function readPiece(memory: number, buffer: Buffer, length: number, position: bigint): number {
  try {
    return readSync(memory, buffer, { length, position })
  } catch {
    return 0
  }
}
