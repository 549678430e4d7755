/**
 * Clients in the field that cannot be installed here, each restated as the few rules it reads a challenge by and the
 * headers it sends back. All of them must read what we send, and we must accept what they send.
 *
 * The forms A to G and the marks are those of our survey, where the real parsers were run: they check the restatements.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bytes, Capability, Caveat, Challenge, Credential, Identifier, Key, Macaroon, sha256 } from 'tallystick/core'

interface Pair {
  readonly scheme: string
  readonly macaroon: string
  readonly invoice: string
}

interface Client {
  readonly name: string
  /** Where the behaviour was read: repository and file. */
  readonly source: string
  /** `lines`: the values of WWW-Authenticate, in the order sent. */
  readonly read: (lines: readonly string[]) => Pair | undefined
  /** The bytes it makes of the macaroon text, if it decodes it. */
  readonly decode?: (macaroon: string) => Uint8Array
  readonly send: (pair: Pair, preimage: string) => Credential.CredentialHeaders
  /** Which of the forms A, B, C, D, F and G it reads. */
  readonly reads: string
}

/** How a parser that wants `macaroon` right behind the scheme, and `invoice` right behind that, spells its wish. */
interface Adjacent {
  readonly schemes: string
  readonly anyCase: boolean
  readonly gap: ' ' | '\\s+'
  readonly equals?: '=' | '\\s*=\\s*'
  readonly value: string
  readonly comma: string
}

function adjacent(rule: Adjacent): (text: string) => Pair | undefined {
  const { equals = '=', value, comma, gap } = rule
  const source = `(${rule.schemes})${gap}macaroon${equals}${value}${comma}invoice${equals}${value}`
  const pattern = new RegExp(source, rule.anyCase ? 'i' : '')
  return (text) => {
    const match = pattern.exec(text)
    return match ? { scheme: match[1]!, macaroon: match[2]!, invoice: match[3]! } : undefined
  }
}

/** Which part of a repeated header a library hands out. */
const firstLine = (lines: readonly string[]): string => lines[0] ?? ''
const joined = (lines: readonly string[]): string => lines.join(', ')
const firstThat = <T>(lines: readonly string[], read: (line: string) => T | undefined): T | undefined =>
  lines.map(read).find((found) => found !== undefined)

const QUOTED = '"([^"]+)"'
const inQuotes = (name: string, text: string, value: string): string | undefined =>
  new RegExp(`${name}${value}`).exec(text)?.[1]

/** Go's StdEncoding: the standard alphabet, padded, nothing else. */
function goBase64(text: string): Uint8Array {
  assert.match(text, /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/)
  return Uint8Array.from(Buffer.from(text, 'base64'))
}

const plain = ({ macaroon }: Pair, preimage: string): Credential.CredentialHeaders => ({
  authorization: [`L402 ${macaroon}:${preimage}`],
})

/** What Lightning Labs' clients keep once they paid: the macaroon with the preimage appended as a caveat. */
const paidMacaroon = ({ macaroon }: Pair, preimage: string): Uint8Array =>
  Macaroon.encode(Macaroon.append(Macaroon.decode(goBase64(macaroon)), `preimage=${preimage}`))

const lazyLightningLabs = (schemes: string): ((text: string) => Pair | undefined) =>
  adjacent({ schemes, anyCase: false, gap: ' ', value: '"(.*?)"', comma: ', ' })
const refinedElement = adjacent({ schemes: 'L402|LSAT', anyCase: true, gap: '\\s+', value: QUOTED, comma: '\\s*,\\s*' })

/** A boundary for LE-MCP is one of three scheme names, at the start or behind a comma. */
function leMcpSegments(line: string): readonly string[] {
  return line.split(/(?:^|,\s*)(?=(?:l402|lsat|payment)\s)/i).filter((segment) => segment.trim() !== '')
}

function readL402sdk(lines: readonly string[]): Pair | undefined {
  const [, scheme, rest] = /^(L402|LSAT) (.*)$/.exec(firstLine(lines).trim()) ?? []
  if (scheme === undefined || rest === undefined) return undefined
  // Commas inside quotes do not separate; the last of a repeated name wins; a part without `=` is an error.
  const parts = rest.match(/(?:"[^"]*"|[^,"])+/g)!.map((part) => part.trim())
  if (parts.some((part) => !part.includes('='))) return undefined
  const params = new Map(
    parts.map((part) => {
      const at = part.indexOf('=')
      return [
        part.slice(0, at).trim().toLowerCase(),
        part
          .slice(at + 1)
          .trim()
          .replaceAll(/^"+|"+$/g, ''),
      ] as const
    }),
  )
  const [macaroon, invoice] = [params.get('macaroon'), params.get('invoice')]
  return macaroon !== undefined && /^ln(?:bc|tb)/.test(invoice ?? '')
    ? { scheme, macaroon, invoice: invoice! }
    : undefined
}

const clients: readonly Client[] = [
  {
    name: 'lnget',
    source: 'lightninglabs/lnget l402/header.go, l402/handler.go',
    read: (lines) => {
      const read = adjacent({ schemes: 'LSAT|L402', anyCase: true, gap: '\\s+', value: QUOTED, comma: ',\\s*' })
      return /^l(?:402|sat) /i.test(firstLine(lines)) ? read(firstLine(lines)) : undefined
    },
    decode: goBase64,
    // Mirrors the scheme it was offered.
    send: (pair, preimage) => ({
      authorization: [`${pair.scheme.toUpperCase()} ${Bytes.toBase64(paidMacaroon(pair, preimage))}:${preimage}`],
    }),
    reads: 'A D F',
  },
  {
    name: 'aperture client, Loop',
    source: 'lightninglabs/aperture l402/client_interceptor.go, l402/credential.go',
    read: (lines) => firstThat(lines, lazyLightningLabs('LSAT|L402')),
    decode: goBase64,
    send: (pair, preimage) => ({ authorization: [], macaroon: [Bytes.toHex(paidMacaroon(pair, preimage))] }),
    reads: 'A D F G',
  },
  {
    name: 'aperture as a proxy, to its backend',
    source: 'lightninglabs/aperture l402/header.go',
    read: (lines) => firstThat(lines, lazyLightningLabs('LSAT|L402')),
    decode: goBase64,
    send: ({ macaroon }, preimage) => ({
      authorization: ['LSAT', 'L402'].map((scheme) => `${scheme} ${macaroon}:${preimage}`),
    }),
    reads: 'A D F G',
  },
  {
    name: 'old Loop',
    source: 'lightninglabs/loop lsat/interceptor.go',
    read: (lines) => lazyLightningLabs('LSAT')(firstLine(lines)),
    decode: goBase64,
    send: (pair, preimage) => ({ authorization: [], macaroon: [Bytes.toHex(paidMacaroon(pair, preimage))] }),
    reads: 'D F',
  },
  {
    name: 'L402sdk',
    source: 'lightninglabs/L402sdk crates/l402-proto/src/challenge.rs, token.rs',
    read: readL402sdk,
    decode: goBase64,
    send: plain,
    reads: 'A C D F',
  },
  {
    name: 'l402-ts, l402-dotnet',
    source: 'refined-element/l402-ts src/challenge.ts',
    read: (lines) => refinedElement(joined(lines)),
    send: plain,
    reads: 'A D F G',
  },
  {
    name: 'l402-requests',
    source: 'refined-element/l402-requests src/l402_requests/challenge.py, client.py',
    read: (lines) => firstThat(lines, refinedElement),
    send: plain,
    reads: 'A D F G',
  },
  {
    name: 'LE-MCP',
    source: 'refined-element/lightning-enable-mcp python/…/l402_client.py',
    read: (lines) =>
      firstThat(lines.flatMap(leMcpSegments), (segment) => {
        const scheme = /^\s*(L402|LSAT)\s+/i.exec(segment)?.[1]
        const macaroon = inQuotes('macaroon', segment, `\\s*=\\s*${QUOTED}`)
        const invoice = inQuotes('invoice', segment, `\\s*=\\s*${QUOTED}`)
        return scheme !== undefined && macaroon !== undefined && invoice !== undefined
          ? { scheme, macaroon, invoice }
          : undefined
      }),
    send: plain,
    reads: 'A C D F G',
  },
  {
    name: 'le-agent-sdk',
    source: 'refined-element/le-agent-sdk-python src/le_agent_sdk/l402/client.py',
    read: (lines) => {
      const value = '"?([^",\\s]+)"?'
      const read = adjacent({
        schemes: 'L402|LSAT',
        anyCase: true,
        gap: '\\s+',
        equals: '\\s*=\\s*',
        value,
        comma: '\\s*,\\s*',
      })
      return read(joined(lines))
    },
    send: plain,
    reads: 'A D F G',
  },
  {
    name: 'Fewsats',
    source: 'Fewsats/L402-python l402/client/credentials/credentials.py',
    read: (lines) => {
      // Looks at no scheme at all: the first value of each name, up to the last quote before a blank.
      const macaroon = inQuotes('macaroon', joined(lines), '="([^ ]+)"')
      const invoice = inQuotes('invoice', joined(lines), '="([^ ]+)"')
      return macaroon !== undefined && invoice !== undefined ? { scheme: 'L402', macaroon, invoice } : undefined
    },
    send: plain,
    reads: 'A C D F G',
  },
]

const key = Key.random()
const preimage = new Uint8Array(32).fill(0xc3)
const paymentHash = sha256(preimage)
const capability = Capability.mint(key, {
  paymentHash,
  location: 'https://api.example.com',
  caveats: [Caveat.services({ api: 0 }), Caveat.profile()],
})
const M = Macaroon.toBase64(capability)
const I = 'lnbcrt100n1p5sample'

const ours = Challenge.format({ macaroon: M, invoice: I })
const PAYMENT =
  'Payment id="x", realm="api", method="lightning", intent="charge", request="eyJhIjoxfQ", expires="2026-11-22T12:00:00Z"'
const forms: Readonly<Record<string, readonly string[]>> = {
  A: [`L402 macaroon="${M}", invoice="${I}"`],
  B: [`L402 version="0", token="${M}", invoice="${I}"`],
  C: [`L402 version="0", token="${M}", macaroon="${M}", invoice="${I}"`, PAYMENT],
  D: [`LSAT macaroon="${M}", invoice="${I}"`, `L402 macaroon="${M}", invoice="${I}"`],
  F: [...ours, PAYMENT],
  G: [PAYMENT, ...ours],
}

for (const client of clients) {
  test(`${client.name} reads our challenge`, () => {
    for (const lines of [ours, forms['F']!]) {
      const pair = client.read(lines)
      assert.ok(pair)
      assert.equal(pair.macaroon, M)
      assert.equal(pair.invoice, I)
      const { identifier } = Macaroon.decode((client.decode ?? Bytes.fromBase64)(pair.macaroon))
      assert.equal(identifier.length, 66)
      assert.deepEqual(Identifier.decode(identifier).paymentHash, paymentHash)
    }
  })

  test(`${client.name} reads the forms our survey says it reads`, () => {
    const read = Object.entries(forms).filter(([, lines]) => client.read(lines)?.invoice === I)
    assert.equal(read.map(([form]) => form).join(' '), client.reads)
  })

  test(`we accept what ${client.name} sends back`, () => {
    const credentials = Credential.parse(client.send(client.read(ours)!, Bytes.toHex(preimage)))
    assert.equal(credentials.length, 1)
    const { macaroon, preimage: sent } = credentials[0]!
    const authentic = Capability.authenticate(Macaroon.fromBase64(macaroon), { key, ...(sent && { preimage: sent }) })
    assert.deepEqual(authentic.paymentHash, paymentHash)
  })
}

test('our own parser reads every form', () => {
  for (const [form, lines] of Object.entries(forms))
    for (const values of [lines, [joined(lines)]]) {
      const [best] = Challenge.parse(values)
      assert.deepEqual([best?.scheme, best?.macaroon, best?.invoice], ['L402', M, I], form)
    }
})
