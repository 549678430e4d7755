export { openEmbedded, type EmbeddedNetwork, type EmbeddedOptions } from './embedded.ts'
export { faultPoints, type Fault, type FaultPoint } from './faults.ts'
