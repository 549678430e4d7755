/** A gate as a proxy's configuration sees it. */
export interface Gate {
  readonly name: string
  /** How clients know it. */
  readonly origin: URL
  /** `http://host:port` or `https://host` of the application. */
  readonly app: URL
  /** `host:port` of the gateway, as the proxy reaches it. */
  readonly gateway: string
  /** The same of its gRPC listener. */
  readonly grpc: string | undefined
}

/** Says the client's address, method or path in another way than the connection does, and applications believe some of it. */
export const CLAIMS = [
  'Forwarded',
  'X-Client-IP',
  'X-Cluster-Client-IP',
  'True-Client-IP',
  'X-Forwarded-Method',
  'X-Forwarded-Uri',
  'X-Original-Method',
  'X-Original-URI',
  'X-Original-URL',
  'X-Rewrite-URL',
] as const

/** Of the origin, said or not. */
export const portOf = ({ port, protocol }: URL): string => port || (protocol === 'https:' ? '443' : '80')

/** `host:port` */
export const addressOf = (url: URL): string => `${url.hostname}:${portOf(url)}`

export const isSecure = ({ protocol }: URL): boolean => protocol === 'https:'

/** Lines of a text, without the undefined ones. */
export const lines = (...all: readonly (string | undefined | readonly string[])[]): string =>
  `${all
    .flat()
    .filter((line) => line !== undefined)
    .join('\n')}\n`
