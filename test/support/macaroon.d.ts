/** npm `macaroon` 3.0.4 has no types of its own; this is what we use of it, as an oracle and as the yardstick of the bench. */
declare module 'macaroon' {
  interface Macaroon {
    readonly signature: Uint8Array
    addFirstPartyCaveat(caveat: string): void
    addThirdPartyCaveat(rootKey: Uint8Array, id: Uint8Array, location: string): void
    bindToRoot(signature: Uint8Array): void
    exportBinary(): Uint8Array
    exportJSON(): NpmJson
    /** Throws unless the signature is right and `check` returns null for every caveat. */
    verify(rootKey: Uint8Array, check: (caveat: string) => string | null, discharges: readonly Macaroon[]): void
  }
  const macaroon: {
    newMacaroon(options: { version: number; rootKey: Uint8Array; identifier: Uint8Array; location: string }): Macaroon
    importMacaroon(bytes: Uint8Array): Macaroon
  }
  export type NpmMacaroon = Macaroon
  export interface NpmJson {
    readonly l?: string
    readonly i?: string
    readonly i64?: string
    readonly s64: string
    readonly c: readonly { readonly i?: string; readonly i64?: string; readonly v64?: string; readonly l?: string }[]
  }
  export default macaroon
}
