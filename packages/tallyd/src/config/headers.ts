/** Names on which the gateway and the configurations that `tally gateway snippet` writes have to agree. */

/** What the application behind a proxy is told of a request that was let through. */
export const IDENTITY_HEADERS = [
  'X-L402-Subject',
  'X-L402-Links',
  'X-L402-Route',
  'X-L402-Cost',
  'X-L402-Expires',
  'X-L402-Body',
] as const

/** What no application gets to see, beside an Authorization with a credential of ours. */
export const CREDENTIAL_HEADERS = ['L402-Token', 'L402-Proof', 'Macaroon', 'Grpc-Metadata-Macaroon'] as const
