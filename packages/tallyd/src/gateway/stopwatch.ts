/** How long something lasted that comes and goes, in milliseconds. */
export class Stopwatch {
  #since: number | undefined
  #sum = 0

  start(): void {
    this.#since ??= performance.now()
  }

  stop(): void {
    if (this.#since === undefined) return
    this.#sum += performance.now() - this.#since
    this.#since = undefined
  }

  get elapsed(): number {
    return this.#sum + (this.#since === undefined ? 0 : performance.now() - this.#since)
  }
}
