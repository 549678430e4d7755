export { lightningConformance, type LightningSubject } from './lightning.ts'
export { jarConformance, type JarConformanceOptions } from './jar.ts'
export { storeConformance, type StoreConformanceOptions } from './store.ts'
export { bookConformance, type BookConformanceOptions } from './book.ts'
