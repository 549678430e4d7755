import { lightningConformance } from 'tallystick/testing'
import { openEmbedded } from './embedded.ts'

lightningConformance('embedded LDK', async () => {
  let ahead = 0
  const now = (): Date => new Date(Date.now() + ahead)
  const { receiver, payer, ...network } = await openEmbedded({ clock: now })
  return {
    receiver,
    payer,
    now,
    advance: (milliseconds) => void (ahead += milliseconds),
    close: async () => network[Symbol.asyncDispose](),
  }
})
