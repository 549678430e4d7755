/** npm `macaroon` 3.0.4 has no types of its own; this is what we use of it, as an oracle and as the yardstick of the bench. */
declare module 'macaroon' {
  interface Macaroon {
    addFirstPartyCaveat(caveat: string): void
    exportBinary(): Uint8Array
    /** Throws unless the signature is right and `check` returns null for every caveat. */
    verify(rootKey: Uint8Array, check: (caveat: string) => string | null, discharges: readonly Macaroon[]): void
  }
  const macaroon: {
    newMacaroon(options: { version: number; rootKey: Uint8Array; identifier: Uint8Array; location: string }): Macaroon
    importMacaroon(bytes: Uint8Array): Macaroon
  }
  export default macaroon
}
