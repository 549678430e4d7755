/** Every command, in the order help lists them. */
import type { Command } from './Command.ts'
import { configCheck } from './configCheck.ts'
import { tokenAttenuate } from './tokenAttenuate.ts'
import { tokenInspect } from './tokenInspect.ts'
import { tokenVerify } from './tokenVerify.ts'

export const commands: readonly Command[] = [tokenInspect, tokenAttenuate, tokenVerify, configCheck]
