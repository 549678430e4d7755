/**
 * The pages in docs/ as code to run: what is in their fences, and what they say it prints. In shown output `…` stands for
 * what differs from run to run: inside a line for anything, as a line of its own for any number of lines.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { root } from './up.ts'

export interface Fence {
  /** `docs/payment.md:12`. */
  readonly at: string
  readonly language: string
  readonly text: string
}

/** Of the pages written by hand; what the others show is made from code. */
export function pages(): readonly string[] {
  return globSync('docs/*.md', { cwd: root })
    .map((page) => page.replaceAll('\\', '/'))
    .filter((page) => !/^(?:Made|Generated) (?:by|from) /m.test(read(page)))
    .toSorted()
}

const read = (page: string): string => readFileSync(path.join(root, page), 'utf8')

export function fences(page: string): readonly Fence[] {
  const text = read(page)
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(({ index, 1: language, 2: body }) => ({
    at: `${page}:${text.slice(0, index).split('\n').length}`,
    language: language!,
    text: body!,
  }))
}

export interface Step {
  readonly command: string
  readonly output: string
}

/** A `console` fence: lines that begin with `$ `, each followed by what it prints. */
export function steps(fence: Fence): readonly Step[] {
  assert.ok(fence.text.startsWith('$ '), `${fence.at}: a console block begins with a command, "$ …"`)
  return fence.text
    .slice(2)
    .split(/^\$ /m)
    .map((step) => {
      const [command, ...output] = step.split('\n')
      return { command: command!, output: output.join('\n') }
    })
}

/** Fails with both texts, so that the page can be corrected from the failure. */
export function assertPrints(printed: string, shown: string, at: string): void {
  const plain = printed.replaceAll('\r', '')
  const pattern = shown
    .split('\n')
    .slice(0, -1)
    .map((line) => (line === '…' ? '(?:.*\\n)*?' : `${line.split('…').map(literally).join('.*?')}\\n`))
    .join('')
  if (!new RegExp(`^${pattern}$`).test(plain.endsWith('\n') || plain === '' ? plain : `${plain}\n`))
    assert.equal(plain, shown, `${at} shows something else than what is printed`)
}

const literally = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
