/** An explanation of a token, for people and for programs. */
import type { Explain } from 'tallystick/core'
import type { Style } from './style.ts'
import { columns, printable } from './table.ts'

type Explanation = Explain.Explanation

export const UNAUTHENTICATED =
  'Unauthenticated: read without the issuer’s key, so anybody could have written this. Only the issuer can tell.'
const AUTHENTICATED = 'Signature and payment were checked with the issuer’s key.'

export function explanationAsText(explanation: Explanation, style: Style): string {
  const { segments, refused, dead, parent, request, authenticated } = explanation
  const parts = segments.map((segment) => segmentAsText(segment, style))
  if (parent) parts.push(parentAsText(parent, style))
  if (request) parts.push(requestAsText(request, style))
  if (refused) parts.push(style.bad(`The whole token is refused: ${refused.code}: ${printable(refused.message)}\n`))
  else if (dead) parts.push(style.bad('Nothing at all is allowed by it any more.\n'))
  parts.push(`${authenticated ? style.good(AUTHENTICATED) : style.warn(UNAUTHENTICATED)}\n`)
  return parts.join('\n')
}

function segmentAsText({ link, discharge, caveats, comparisons }: Explain.Segment, style: Style): string {
  const title =
    discharge !== undefined
      ? `in the discharge of ${discharge}`
      : link === undefined
        ? 'minted by the issuer'
        : named(link)
  const said = columns(
    caveats.map(({ text, means, error }) => [
      `  ${printable(text)}`,
      error ? style.bad(printable(means)) : style.dim(printable(means)),
    ]),
  )
  // The issuer's caveats have nothing before them to be compared with.
  const compared = link === undefined && discharge === undefined ? '' : comparisonsAsText(comparisons, style)
  return `${style.bold(printable(title))}\n${said}${compared}`
}

/** The name is what the giver wrote; the salt tells two of one name apart. */
const named = (link: string): string => `handed to ${link.split('#')[0]!} (as its giver called it: ${link})`

function comparisonsAsText(comparisons: readonly Explain.Comparison[], style: Style): string {
  if (comparisons.length === 0) return ''
  return columns(
    comparisons.map((comparison) => [
      `  ${sign(comparison.relation, style)} ${comparison.key}`,
      [comparison.before ?? 'anything', comparison.after ?? 'anything'].map(printable).join(' → '),
      printable(shownBy(comparison)),
    ]),
  )
}

function sign(relation: Explain.Relation, style: Style): string {
  return relation === '⊄' || relation === '⊥' ? style.bad(relation) : relation === '⊂' ? style.good(relation) : relation
}

function shownBy({ relation, difference, assuming }: Explain.Comparison): string {
  const given = assuming === undefined ? '' : ` (given ${assuming.join(', ')})`
  switch (relation) {
    case '=':
      return 'the same'
    case '+':
      return 'one more condition'
    case '⊥':
      return difference ?? 'nothing is allowed any more'
    case '⊂':
      return difference === undefined ? 'weaker' : `no longer: ${difference}${given}`
    case '⊄':
      return difference === undefined ? 'wider' : `wider: ${difference}${given}`
  }
}

function parentAsText(parent: NonNullable<Explanation['parent']>, style: Style): string {
  const made =
    parent.descends === undefined
      ? ''
      : parent.descends
        ? 'It was made from the parent: its chain says so.\n'
        : style.warn('It was not made from the parent by appending caveats.\n')
  const verdict = parent.within
    ? style.good('It allows nothing that the parent does not.\n')
    : style.bad('It allows something that the parent does not.\n')
  return `${style.bold('compared with the parent')}\n${comparisonsAsText(parent.comparisons, style)}${made}${verdict}`
}

function requestAsText(request: NonNullable<Explanation['request']>, style: Style): string {
  const { allowed, refusals, provided } = request
  const lines = allowed
    ? [style.good('allowed, as far as the caveats can tell')]
    : ['refused', ...refusals.map(({ caveat, link, why }) => style.bad(`  ${refusal(caveat, link, why)}`))]
  if (provided.length > 0)
    lines.push(style.dim(`depends on what is left of, or comes with: ${provided.map(printable).join(', ')}`))
  return `${style.bold('the request')}\n${lines.map((line) => `  ${line}\n`).join('')}`
}

const refusal = (caveat: string, link: string | undefined, why: string): string =>
  printable(`${caveat} (${link === undefined ? 'minted by the issuer' : `link ${link}`}): ${why}`)

export function explanationAsJson(explanation: Explanation): object {
  const { segments, authenticated } = explanation
  return {
    ...explanation,
    segments: segments.map((segment) => ({
      ...segment,
      link: segment.link ?? null,
      caveats: segment.caveats.map(({ text, means, error }) => ({
        text,
        means,
        ...(error && { refused: error.code }),
      })),
    })),
    note: authenticated ? AUTHENTICATED : UNAUTHENTICATED,
  }
}
