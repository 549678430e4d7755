/**
 * Loads LDK's WASM once per thread. The package keeps its memory private and prints to stdout, so its call to
 * `WebAssembly.instantiate` is intercepted while it initialises: to reuse a module compiled once for the whole process
 * (and so its compiled code, after a respawn), and to keep the text of Rust panics instead of printing it.
 */
import * as ldk from 'lightningdevkit'
import * as raw from 'lightningdevkit/bindings.mjs'

export { ldk, raw }

const panicText: string[] = []

/** What Rust said before the last trap. */
export const panicMessage = (): string => panicText.join('').trim()

/** Resolves with LDK's version. */
export async function loadLdk(module: WebAssembly.Module): Promise<string> {
  const instantiate = WebAssembly.instantiate
  const log = console.log
  let version = ''
  const intercepted = async (_bytes: unknown, imports: WebAssembly.Imports): Promise<unknown> => {
    let memory: WebAssembly.Memory | undefined
    imports['wasi_snapshot_preview1']!['fd_write'] = (_fd: number, vectors: number, count: number, written: number) => {
      if (!memory) return 0
      const view = new DataView(memory.buffer)
      let total = 0
      for (let i = 0; i < count; i++) {
        const length = view.getUint32(vectors + i * 8 + 4, true)
        panicText.push(Buffer.from(memory.buffer, view.getUint32(vectors + i * 8, true), length).toString())
        total += length
      }
      view.setUint32(written, total, true)
      return 0
    }
    const instance = await instantiate(module, imports)
    memory = instance.exports['memory'] as WebAssembly.Memory
    return { instance, module }
  }
  try {
    WebAssembly.instantiate = intercepted as typeof WebAssembly.instantiate
    console.log = (text: string): void => void (version = /LDK (v\S+)/.exec(text)?.[1] ?? text)
    await ldk.initializeWasmFromBinary(new Uint8Array())
  } finally {
    WebAssembly.instantiate = instantiate
    console.log = log
  }
  return version
}

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
export const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))

interface Outcome {
  is_ok(): boolean
}

/** The value of an LDK Result, or an Error that says what failed. `ok` is the subclass that carries the value. */
export function must<T>(result: Outcome, ok: { readonly prototype: { res: T } }, what: string): T {
  check(result, what)
  if (!Object.prototype.isPrototypeOf.call(ok.prototype, result)) throw new TypeError(`${what}: another kind of result`)
  return (result as unknown as { res: T }).res
}

/** For a Result without a value. */
export function check(result: Outcome, what: string): void {
  if (result.is_ok()) return
  const { err } = result as unknown as { err: unknown }
  throw new Error(
    `${what} failed: ${JSON.stringify(err, (_key, value) => (typeof value === 'bigint' ? `${value}` : value))}`,
  )
}
