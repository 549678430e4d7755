/** What a witness must remember: of each log, the last tree it signed for. */
export interface Witnessed {
  readonly size: number
  /** As it was shown, with the log's own signatures and the witness's. */
  readonly checkpoint: string
}

export interface WitnessStore extends AsyncDisposable {
  last(origin: string): Promise<Witnessed | undefined>
  /**
   * Replaces what was there if that is still of `old` entries (0: nothing was there), and resolves with false otherwise. On
   * disk when it resolves. Looking and replacing are one step: otherwise a slow request could take a newer one back.
   */
  advance(origin: string, options: { readonly old: number; readonly to: Witnessed }): Promise<boolean>
}
