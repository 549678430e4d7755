/** What was opened, to be closed in the opposite order: AsyncDisposableStack, as far as it is needed, for Node 22. */
export class Parts implements AsyncDisposable {
  #closing: (() => unknown)[] = []

  use<T extends AsyncDisposable>(part: T): T {
    this.defer(() => part[Symbol.asyncDispose]())
    return part
  }

  defer(close: () => unknown): void {
    this.#closing.push(close)
  }

  /** Everything moves to the result; disposing of this one then closes nothing. */
  move(): Parts {
    const moved = new Parts()
    moved.#closing = this.#closing
    this.#closing = []
    return moved
  }

  /** Closes all, also behind one that fails, and rejects with the first failure. */
  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = []
    for (let close = this.#closing.pop(); close; close = this.#closing.pop())
      try {
        await close()
      } catch (error) {
        failures.push(error)
      }
    if (failures.length > 0) throw failures[0]
  }
}
