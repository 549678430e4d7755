/** Clients that keep asking over kept connections, until told to stop; every failure is kept with its reason. */
import http from 'node:http'

export interface Asking {
  readonly served: () => number
  readonly failures: readonly string[]
  /** Nobody begins another request; resolves when all have ended. */
  stop(): Promise<void>
}

export function keepAsking(url: string, options: { clients: number; headers?: Record<string, string> }): Asking {
  const agent = new http.Agent({ keepAlive: true, maxSockets: options.clients })
  const failures: string[] = []
  let served = 0
  let stopped = false
  const ask = (): Promise<void> =>
    new Promise((resolve) => {
      const fail = (error: NodeJS.ErrnoException): void => {
        failures.push(error.code ?? error.message)
        resolve()
      }
      http
        .get(url, { agent, headers: options.headers ?? {} }, (res) => {
          res
            .resume()
            .on('error', fail)
            .on('end', () => {
              if (res.statusCode === 200) served++
              else failures.push(`status ${res.statusCode}`)
              resolve()
            })
        })
        .on('error', fail)
    })
  const clients = Array.from({ length: options.clients }, async () => {
    while (!stopped) await ask()
  })
  return {
    served: () => served,
    failures,
    async stop() {
      stopped = true
      await Promise.all(clients)
      agent.destroy()
    },
  }
}
