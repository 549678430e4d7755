/**
 * tally.yaml as text: parsing with every safety on, and positions for every message. Positions are kept from the
 * document, so a mistake found three layers up still names its line and column.
 */
import {
  isMap,
  isNode,
  isAlias,
  isScalar,
  LineCounter,
  parseDocument,
  type Document,
  type Pair,
  type ParsedNode,
  type YAMLMap,
} from 'yaml'

export interface Mistake {
  /** Offset into the text. */
  readonly at: number
  /** `tally.yaml:14:7 price: expected an amount like "10 sat"` */
  readonly text: string
}

export type Path = readonly PropertyKey[]

export interface Source {
  /** What the document says, as plain values; undefined when it is not YAML that we accept. */
  readonly value: unknown
  /** Mistakes of the YAML itself. */
  readonly mistakes: readonly Mistake[]
  /** A mistake in the value at `path`, or with `of: 'key'` in the key itself. */
  mistake(path: Path, message: string, options?: { of: 'key' }): Mistake
  /** The keys of the map at `path`, in the order written. A JS object would put `42` before `a`. */
  keys(path: Path): readonly string[]
}

/** A config of a thousand services is well below this; YAML bombs and wrong files are not. */
const LONGEST = 1 << 20
/** Anchors are a convenience; more aliases than this are an attack on memory. */
const MOST_ALIASES = 100

export function readSource(text: string, filename: string): Source {
  const lines = new LineCounter()
  const mistakes: Mistake[] = []
  const report = (at: number, message: string, label?: string): Mistake => {
    const { line, col } = lines.linePos(at)
    return { at, text: `${filename}:${line || 1}:${col || 1} ${label === undefined ? '' : `${label}: `}${message}` }
  }
  const failed = (message: string): Source => ({
    value: undefined,
    mistakes: [...mistakes, report(0, message)],
    mistake: (_, message) => report(0, message),
    keys: () => [],
  })
  if (text.length > LONGEST) return failed('the file is over 1 MiB')

  let doc: Document.Parsed
  let value: unknown
  try {
    // prettyErrors would quote the line, and the line may hold a secret.
    doc = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      version: '1.2',
      schema: 'core',
      merge: false,
    })
    for (const { pos, code, message } of [...doc.errors, ...doc.warnings])
      mistakes.push(report(pos[0], yamlMessage(code, message)))
    if (mistakes.length === 0) value = doc.toJS({ maxAliasCount: MOST_ALIASES })
  } catch (error) {
    // The parser recurses, and toJS counts aliases by throwing.
    if (error instanceof RangeError) return failed('the file is nested too deeply')
    if (error instanceof ReferenceError)
      return failed(`the file has more than ${MOST_ALIASES} aliases, or one that refers to nothing`)
    throw error
  }

  /** Follows aliases, which doc.getIn does not. */
  const mapAt = (path: Path): YAMLMap<ParsedNode, ParsedNode | null> | undefined => {
    let node: unknown = doc.contents
    for (const key of path) {
      const map = resolved(node, doc)
      node = isMap(map) ? map.get(key, true) : undefined
    }
    const map = resolved(node, doc)
    return isMap<ParsedNode, ParsedNode | null>(map) ? map : undefined
  }
  const pairAt = (path: Path): Pair<ParsedNode, ParsedNode | null> | undefined =>
    mapAt(path.slice(0, -1))?.items.find(({ key }) => isScalar(key) && String(key.value) === String(path.at(-1)))
  const start = (path: Path, of?: 'key'): number => {
    for (let at = path; at.length > 0; at = at.slice(0, -1)) {
      const pair = pairAt(at)
      const found = pair && (of === 'key' || at !== path ? pair.key : (pair.value ?? pair.key))
      // An absent value has an empty range right behind its key; point at the key, which can be seen.
      if (isNode(found) && found.range) return found.range[0] === found.range[1] ? pair!.key.range[0] : found.range[0]
    }
    return doc.contents?.range[0] ?? 0
  }
  return {
    value,
    mistakes,
    mistake: (path, message, options) =>
      report(start(path, options?.of), message, path.length === 0 ? undefined : String(path.at(-1))),
    keys: (path) => mapAt(path)?.items.map(({ key }) => String(isScalar(key) ? key.value : key)) ?? [],
  }
}

const resolved = (node: unknown, doc: Document.Parsed): unknown => (isAlias(node) ? node.resolve(doc) : node)

/** The words of the parser, except where they speak of its options; cut before it quotes what may be a secret. */
function yamlMessage(code: string, message: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'this key is there twice'
    case 'NON_STRING_KEY':
      return 'expected a plain text key'
    case 'MULTIPLE_DOCS':
      return 'expected one document, found `---` and another'
    case 'RESOURCE_EXHAUSTION':
      return 'the file is nested too deeply'
    default:
      return `not YAML: ${message.replace(/(?:[:"'`]|\s+(?:at|in) line\s)[^]*$/, '').trim()}`
  }
}
