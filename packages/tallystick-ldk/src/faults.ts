/**
 * Named places where a crash test may kill the process or break LDK. Outside of tests no fault is set and `reach` does
 * nothing; test/crash/ldk.test.ts visits every name in the list.
 */
export const faultPoints = [
  'invoice-recorded',
  'payment-started',
  'htlc-held',
  'htlc-claimable',
  'htlc-claimed',
  'settlement-recorded',
  'payment-sent',
  'outcome-recorded',
  'before-commit',
  'mid-commit',
  'after-commit',
  'after-delivery',
  'before-answer',
] as const

export type FaultPoint = (typeof faultPoints)[number]

export interface Fault {
  readonly point: FaultPoint
  /** Lets this many passes go by first. Counting starts when the network is ready. */
  readonly skip?: number
  /** `kill` is SIGKILL to the whole process; `panic` provokes a real Rust panic in LDK. */
  readonly how: 'kill' | 'panic'
}

export type Reach = (point: FaultPoint) => void
