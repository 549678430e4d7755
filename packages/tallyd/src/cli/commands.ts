/** Every command, in the order help lists them. */
import { adminToken } from './adminToken.ts'
import type { Command } from './Command.ts'
import { configCheck } from './configCheck.ts'
import { doctor } from './doctor.ts'
import { fetchCommand } from './fetch.ts'
import { gateway } from './gateway.ts'
import { gatewaySnippet } from './gatewaySnippet.ts'
import { gatewayReload } from './gatewayReload.ts'
import { logAudit } from './logAudit.ts'
import { logExport } from './logExport.ts'
import { logFsck, logVerify } from './logVerify.ts'
import { logServe } from './logServe.ts'
import { receiptAck } from './receiptAck.ts'
import { receiptExport } from './receiptExport.ts'
import { receiptRenew } from './receiptRenew.ts'
import { receiptShow } from './receiptShow.ts'
import { receiptVerify } from './receiptVerify.ts'
import { tokenAttenuate } from './tokenAttenuate.ts'
import { tokenDelegate } from './tokenDelegate.ts'
import { tokenMint } from './tokenMint.ts'
import { tokenExplain } from './tokenExplain.ts'
import { tokenDischarge } from './tokenDischarge.ts'
import { tokenKey } from './tokenKey.ts'
import { tokenRevoke } from './tokenRevoke.ts'
import { tokenRestrict } from './tokenRestrict.ts'
import { tokenInspect } from './tokenInspect.ts'
import { tokenVerify } from './tokenVerify.ts'
import { up } from './up.ts'
import { witness } from './witness.ts'

export const commands: readonly Command[] = [
  up,
  gateway,
  gatewaySnippet,
  gatewayReload,
  fetchCommand,
  tokenInspect,
  tokenAttenuate,
  tokenDelegate,
  tokenExplain,
  tokenRevoke,
  tokenKey,
  tokenDischarge,
  tokenMint,
  tokenVerify,
  tokenRestrict,
  receiptShow,
  receiptVerify,
  receiptRenew,
  receiptExport,
  receiptAck,
  adminToken,
  logVerify,
  logAudit,
  logExport,
  logServe,
  logFsck,
  witness,
  configCheck,
  doctor,
]
