/**
 * Which logs and how many witnesses somebody trusts (c2sp.org/tlog-policy): lines `log`, `witness`, `group` and one `quorum`.
 * Whoever relies on a log writes this, not the log: a quorum of the operator's friends proves nothing to others.
 */
import { toHex, type Bytes } from './bytes.ts'
import * as Checkpoint from './Checkpoint.ts'
import { TallyError } from './errors.ts'
import type { VerifyEd25519 } from './ed25519.ts'
import * as Note from './Note.ts'

export interface Log {
  readonly key: Note.VerifierKey
  readonly url: string | undefined
}

export interface Witness extends Log {
  /** Inside this policy only. */
  readonly name: string
}

interface Group {
  readonly name: string
  readonly needed: number
  readonly members: readonly string[]
}

export interface LogPolicy {
  readonly logs: readonly Log[]
  readonly witnesses: readonly Witness[]
  readonly groups: readonly Group[]
  /** Of a witness or group; undefined for `none`. */
  readonly quorum: string | undefined
}

const MOST_BYTES = 262_144
const MOST_LINES = 1024

/** Throws LOG_MALFORMED with the line. */
export function parse(text: string): LogPolicy {
  if (text.length > MOST_BYTES) throw malformed(0, `more than ${MOST_BYTES} bytes`)
  const logs: Log[] = []
  const witnesses: Witness[] = []
  const groups: Group[] = []
  let quorum: { readonly name: string } | undefined
  const names = new Set<string>()
  const taken = new Set<string>()
  const keys = new Set<string>()

  const define = (name: string, line: number): string => {
    if (name === 'none' || names.has(name)) throw malformed(line, `the name ${name} is taken`)
    names.add(name)
    return name
  }
  const readKey = (vkey: string, types: readonly number[], line: number): Note.VerifierKey => {
    const key = attempt(line, () => Note.parseKey(vkey))
    if (!types.includes(key.type)) throw malformed(line, `a key of type ${key.type} does not sign such a thing`)
    const material = toHex(key.publicKey)
    if (keys.has(`${types[0]} ${material}`)) throw malformed(line, 'this key is there already')
    keys.add(`${types[0]} ${material}`)
    return key
  }
  const readGroup = (words: readonly string[], line: number): Group => {
    const [name = '', needed = '', ...members] = words
    if (members.length === 0) throw malformed(line, 'a group needs a name, a number and members')
    for (const member of members) {
      if (!names.has(member)) throw malformed(line, `nothing before is called ${member}`)
      if (taken.has(member)) throw malformed(line, `${member} is in a group already`)
      taken.add(member)
    }
    const count =
      needed === 'all' ? members.length : needed === 'any' ? 1 : /^[1-9][0-9]{0,3}$/.test(needed) ? Number(needed) : 0
    if (count < 1 || count > members.length) throw malformed(line, `expected all, any, or 1 to ${members.length}`)
    return { name: define(name, line), needed: count, members }
  }

  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(text)) throw malformed(0, 'a control character')
  const lines = text.split('\n')
  if (lines.length > MOST_LINES) throw malformed(0, `more than ${MOST_LINES} lines`)
  for (const [i, raw] of lines.entries()) {
    const words = raw.split(/[ \t]+/).filter((word) => word !== '')
    const [keyword, ...rest] = words
    const line = i + 1
    if (keyword === undefined || keyword.startsWith('#')) continue
    if (keyword === 'log' && rest.length >= 1 && rest.length <= 2)
      logs.push({ key: readKey(rest[0]!, [Note.ED25519, ML_DSA], line), url: rest[1] })
    else if (keyword === 'witness' && rest.length >= 2 && rest.length <= 3)
      witnesses.push({
        name: define(rest[0]!, line),
        key: readKey(rest[1]!, [Note.COSIGNATURE, ML_DSA], line),
        url: rest[2],
      })
    else if (keyword === 'group') groups.push(readGroup(rest, line))
    else if (keyword === 'quorum' && rest.length === 1) {
      if (quorum) throw malformed(line, 'the quorum is there already')
      if (rest[0] !== 'none' && !names.has(rest[0]!)) throw malformed(line, `nothing before is called ${rest[0]}`)
      quorum = { name: rest[0]! }
    } else throw malformed(line, 'expected log, witness, group or quorum, and what belongs to it')
  }
  if (!quorum) throw malformed(lines.length, 'the quorum is missing; `quorum none` asks for no witnesses')
  return { logs, witnesses, groups, quorum: quorum.name === 'none' ? undefined : quorum.name }
}

/** One log, no witnesses. */
export const logAlone = (key: Note.VerifierKey): LogPolicy => ({
  logs: [{ key, url: undefined }],
  witnesses: [],
  groups: [],
  quorum: undefined,
})

export interface Accepted {
  readonly checkpoint: Checkpoint.SignedCheckpoint
  readonly witnessed: Date | undefined
}

/** Throws LOG_MALFORMED, LOG_ORIGIN_WRONG, LOG_SIGNATURE_INVALID or LOG_UNWITNESSED. */
export function accept(
  text: string | Bytes,
  policy: LogPolicy,
  options: { readonly ed25519?: VerifyEd25519 } = {},
): Accepted {
  const parsed = Checkpoint.parse(text)
  const known = policy.logs.filter(({ key }) => key.name === parsed.origin)
  if (known.length === 0) throw new TallyError('LOG_ORIGIN_WRONG', `the policy knows no log ${parsed.origin}`)
  const signed = known.filter(({ key }) => Note.isSignedBy(parsed.note, key, options.ed25519))
  if (signed.length === 0)
    throw new TallyError(
      'LOG_SIGNATURE_INVALID',
      `the checkpoint is signed by no key of ${parsed.origin} in the policy`,
    )
  const seen = cosignatures(parsed.note, policy, options.ed25519)
  if (policy.quorum === undefined) return { checkpoint: parsed, witnessed: undefined }
  const at = quorumTime(policy, seen)
  if (!at) {
    const who = [...seen.keys()].join(', ') || 'none'
    throw new TallyError('LOG_UNWITNESSED', `the quorum ${policy.quorum} is not reached; cosigned by: ${who}`)
  }
  return { checkpoint: parsed, witnessed: at }
}

/** By name in the policy, when each of its witnesses saw the checkpoint. Throws LOG_SIGNATURE_INVALID. */
export function cosignatures(note: Note.Note, policy: LogPolicy, ed25519?: VerifyEd25519): ReadonlyMap<string, Date> {
  const seen = new Map<string, Date>()
  for (const { name, key } of policy.witnesses) {
    const at = Checkpoint.cosignedAt(note, key, ed25519)
    if (at) seen.set(name, at)
  }
  return seen
}

/** The first moment at which enough had signed; undefined if they have not. */
export function quorumTime({ quorum, groups }: LogPolicy, seen: ReadonlyMap<string, Date>): Date | undefined {
  const known = new Map([...seen].map(([name, at]) => [name, at.getTime()]))
  // Groups name what stands before them, so one pass is enough.
  for (const { name, needed, members } of groups) {
    const times = members.flatMap((member) => known.get(member) ?? []).toSorted((a, b) => a - b)
    const at = times[needed - 1]
    if (at !== undefined) known.set(name, at)
  }
  const at = quorum === undefined ? undefined : known.get(quorum)
  return at === undefined ? undefined : new Date(at)
}

const ML_DSA = 6

function attempt<T>(line: number, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw TallyError.is(error) ? malformed(line, error.message, error) : error
  }
}

const malformed = (line: number, why: string, cause?: unknown): TallyError =>
  new TallyError('LOG_MALFORMED', `the policy cannot be read${line > 0 ? `, line ${line}` : ''}: ${why}`, { cause })
