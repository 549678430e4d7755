import { jarConformance } from '../testing/jar.ts'
import { storeConformance } from '../testing/store.ts'
import { memoryJar, memoryStore } from './memory.ts'

storeConformance('memory', async () => memoryStore())
jarConformance('memory', async () => memoryJar())
