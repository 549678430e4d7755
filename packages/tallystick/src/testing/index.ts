export { lightningConformance, type LightningSubject } from './lightning.ts'
