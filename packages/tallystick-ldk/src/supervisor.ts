/**
 * Keeps a worker with the network running. When LDK panics its memory is not to be trusted, so the thread is thrown away and a new one
 * reads everything from disk; calls without an answer are asked again there, which all of them bear.
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { TallyError } from 'tallystick/core'
import type { Fault } from './faults.ts'
import type { Calls, Message, Op, Ready, Request, Result, WorkerOptions } from './protocol.ts'

export interface SupervisorOptions {
  readonly file: string
  readonly durable: boolean
  readonly fault: Fault | undefined
  /** Milliseconds between the caller's clock and the real one. */
  readonly skew: () => number
  readonly onSettled: () => void
  readonly onRestart: (reason: string) => void
}

interface Pending {
  readonly request: Request
  readonly resolve: (value: never) => void
  readonly reject: (error: Error) => void
  sends: number
}

/** A call that breaks the network this often is given up, and so is a start. */
const ATTEMPTS = 3

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #module: WebAssembly.Module
  readonly #pending = new Map<number, Pending>()
  #worker: Worker | undefined
  #starting: Promise<Ready> | undefined
  /** The thread before has let go of the files. */
  #ended: Promise<unknown> = Promise.resolve()
  #fault: Fault | undefined
  #closed = false
  #ids = 0

  static async open(options: SupervisorOptions): Promise<{ supervisor: Supervisor; ready: Ready }> {
    const wasm = createRequire(import.meta.url).resolve('lightningdevkit/liblightningjs.wasm')
    const supervisor = new Supervisor(options, await WebAssembly.compile(await readFile(wasm)))
    return { supervisor, ready: await supervisor.#start() }
  }

  private constructor(options: SupervisorOptions, module: WebAssembly.Module) {
    this.#options = options
    this.#module = module
    this.#fault = options.fault
  }

  /** Rejects with NODE_UNAVAILABLE; `details.sent` then says whether the network may have seen the call. */
  call<K extends Op>(op: K, call: Parameters<Calls[K]>[0]): Promise<Result<K>> {
    if (this.#closed) return Promise.reject(unavailable('the embedded network is closed', 0))
    return this.#ask(op, call)
  }

  /** Ends the thread with everything on disk. Calls still waiting reject. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    try {
      await this.#starting
      if (this.#worker) await this.#ask('close', undefined)
    } finally {
      const worker = this.#worker
      this.#worker = undefined
      this.#abandon('the embedded network was closed')
      await worker?.terminate()
    }
  }

  #ask<K extends Op>(op: K, call: Parameters<Calls[K]>[0]): Promise<Result<K>> {
    return new Promise((resolve, reject) => {
      const request = { id: this.#ids++, op, call, skew: this.#options.skew() }
      const pending: Pending = { request, resolve, reject, sends: 0 }
      this.#pending.set(request.id, pending)
      if (this.#worker && !this.#starting) this.#send(this.#worker, pending)
      else this.#restart()
    })
  }

  #send(worker: Worker, pending: Pending): void {
    if (pending.sends >= ATTEMPTS) {
      this.#pending.delete(pending.request.id)
      pending.reject(unavailable(`the embedded network broke ${pending.sends} times during this call`, pending.sends))
      return
    }
    pending.sends++
    worker.postMessage(pending.request, [])
  }

  #restart(): void {
    // Whoever waits for this hears of a failure through their own call.
    if (!this.#starting) void this.#start().catch(() => {})
  }

  #start(): Promise<Ready> {
    const starting = this.#startWithin(ATTEMPTS)
    this.#starting = starting
    void starting
      .catch((error: Error) => this.#abandon(error.message))
      .then(() => {
        this.#starting = undefined
        this.#resume()
      })
    return starting
  }

  #resume(): void {
    const worker = this.#worker
    if (worker) for (const pending of this.#pending.values()) this.#send(worker, pending)
    else if (this.#pending.size > 0) this.#restart()
  }

  async #startWithin(attempts: number): Promise<Ready> {
    try {
      return await this.#spawn()
    } catch (error) {
      if (attempts > 1) return this.#startWithin(attempts - 1)
      throw new TallyError(
        'NODE_UNAVAILABLE',
        `the embedded network in ${this.#options.file} does not start: ${(error as Error).message}; if the file is damaged, delete it: its coins are worthless`,
        { cause: error },
      )
    }
  }

  async #spawn(): Promise<Ready> {
    await this.#ended
    const { file, durable } = this.#options
    const workerData: WorkerOptions = { file, durable, module: this.#module, fault: this.#fault }
    // A fault is for one life.
    this.#fault = undefined
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), { workerData })
    return new Promise((resolve, reject) => {
      const end = (reason: string): void => {
        this.#ended = worker.terminate()
        reject(new Error(reason))
        if (this.#worker !== worker) return
        this.#worker = undefined
        this.#options.onRestart(reason)
        this.#restart()
      }
      worker.on('error', (error) => end(error instanceof Error ? error.message : String(error)))
      worker.on('exit', () => end('the thread ended'))
      worker.on('message', (message: Message) => {
        if (message.kind === 'broken') end(message.message)
        else if (message.kind === 'ready') {
          this.#worker = worker
          resolve(message.ready)
        } else if (worker !== this.#worker) return
        else if (message.kind === 'settled') this.#options.onSettled()
        else this.#answered(message)
      })
    })
  }

  #answered(message: Message & { kind: 'answer' | 'error' }): void {
    const pending = this.#pending.get(message.id)
    this.#pending.delete(message.id)
    if (message.kind === 'answer') pending?.resolve(message.value as never)
    else if (message.refused) pending?.reject(new TallyError('PAYMENT_FAILED', message.message))
    else pending?.reject(new TypeError(message.message))
  }

  #abandon(reason: string): void {
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject, sends } of pending) reject(unavailable(reason, sends))
  }
}

function unavailable(reason: string, sent: number): TallyError {
  return new TallyError('NODE_UNAVAILABLE', reason, { details: { sent } })
}
