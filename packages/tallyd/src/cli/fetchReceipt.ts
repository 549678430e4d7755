/** The receipt that came with an answer: named on stderr, and kept where --receipt says. */
import { resolve } from 'node:path'
import { proofOf, receiptOf } from 'tallystick/client'
import { Bytes, TallyError } from 'tallystick/core'
import { writeNamed } from './files.ts'
import type { Io } from './Io.ts'

export interface KeptReceipt {
  /** Its id. */
  readonly receipt?: string
  readonly receipt_file?: string
}

/** When the body was read. Throws RECEIPT_UNKNOWN when a file was asked for and none came. */
export async function keepReceipt(io: Io, response: Response, file: string | undefined): Promise<KeptReceipt> {
  const receipt = receiptOf(response)
  if (!receipt) {
    if (file === undefined) return {}
    throw new TallyError('RECEIPT_UNKNOWN', `no receipt came with the answer, so there is none to keep in ${file}`)
  }
  const { id } = receipt
  if (file === undefined) return { receipt: id }
  const path = resolve(io.cwd, file)
  await writeNamed(path, Bytes.utf8(await proofOf(receipt)))
  return { receipt: id, receipt_file: path }
}

export async function receiptLine(io: Io, { receipt, receipt_file: file }: KeptReceipt): Promise<void> {
  if (receipt === undefined) return
  await io.stderr.write(`receipt ${receipt}${file === undefined ? '' : `, kept in ${file}`}\n`)
}
