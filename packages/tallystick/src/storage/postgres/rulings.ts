/**
 * The rulings of all processes, kept in memory. Every batch brings those that came since; a process that writes nothing asks for
 * them when what it knows is a second old. A ruling is numbered under a lock that lasts to its commit, so whoever has read one
 * has read all before it.
 */
import { toHex } from '../../core/bytes.ts'
import { createRulings, type Rulings } from '../rulings.ts'
import type { Ruling } from '../Store.ts'
import type { Sort } from './lane.ts'
import { ask, type PostgresPool } from './Pool.ts'
import { READ_RULINGS, readRuling, type Numbered } from './read.ts'
import { bytesArray, number, numberArray, textArray } from './values.ts'
import { all, countCommit } from './write.ts'

/** Milliseconds. */
const IN_STEP_FOR = 1000

export interface Follower {
  readonly rulings: Rulings
  /** Of the latest that is known. */
  readonly latest: () => number
  /** As they stood at a time. */
  learn(read: readonly Numbered[], at: Date): void
  inStep(): Promise<void> | undefined
  readonly rule: Sort<Ruling>
}

export function createFollower({ pool, clock }: { pool: PostgresPool; clock: () => Date }): Follower {
  const rulings = createRulings([])
  let latest = 0
  let known = -Infinity
  let asking: Promise<void> | undefined
  let failed = false

  function learn(read: readonly Numbered[], at: Date): void {
    for (const { number, ruling } of read) {
      if (number <= latest) continue
      rulings.add(ruling)
      latest = number
    }
    known = Math.max(known, at.getTime())
    failed = false
  }

  async function refresh(): Promise<void> {
    const at = clock()
    try {
      const { rows } = await ask(pool, READ_RULINGS, [`${latest}`])
      learn(rows.map(readRuling), at)
    } catch {
      // What needs no database goes on without it, by the rulings that are known.
      failed = true
    } finally {
      asking = undefined
    }
  }

  return {
    rulings,
    latest: () => latest,
    learn,
    inStep() {
      const age = clock().getTime() - known
      // A clock that was set back says nothing about the age.
      if (age >= 0 && age < IN_STEP_FOR) return undefined
      if (age < 0) known = -Infinity
      asking ??= refresh()
      return failed ? undefined : asking
    },
    rule: {
      most: 100,
      async perform(client, jobs, { writer, commit }) {
        const at = clock()
        const [, locked, read] = await all([
          client.query('BEGIN ISOLATION LEVEL READ COMMITTED'),
          client.query('SELECT rulings::text AS number FROM tally_database FOR UPDATE'),
          client.query(READ_RULINGS, [`${latest}`]),
        ])
        learn(read!.rows.map(readRuling), at)
        const first = number(locked!.rows[0]!['number']) + 1
        const added: Ruling[] = []
        const outcomes = jobs.map((ruling) => {
          const { tag, caveat } = ruling
          if (rulings.has(ruling) || added.some((other) => other.tag === tag && other.caveat === caveat)) return false
          const refusal = rulings.tooMany(ruling, added)
          if (!refusal) added.push(ruling)
          return refusal ?? true
        })
        const last = first + added.length - 1
        await all([
          client.query(...addRulings(added, first)),
          client.query('UPDATE tally_database SET rulings = $1', [`${last}`]),
          client.query(...countCommit(writer)),
          commit(outcomes),
        ])
        learn(
          added.map((ruling, index) => ({ number: first + index, ruling })),
          at,
        )
        return outcomes
      },
    },
  }
}

function addRulings(rulings: readonly Ruling[], first: number): [string, string[]] {
  const text = `INSERT INTO tally_rulings (number, tag, token, link, caveat, at, until)
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])`
  return [
    text,
    [
      numberArray(rulings.map((_, index) => first + index)),
      bytesArray(rulings.map(({ tag }) => tag)),
      bytesArray(rulings.map(({ tokenId }) => toHex(tokenId))),
      textArray(rulings.map(({ link }) => link ?? null)),
      textArray(rulings.map(({ caveat }) => caveat ?? null)),
      numberArray(rulings.map((ruling) => ruling.at.getTime())),
      numberArray(rulings.map(({ until }) => until?.getTime() ?? null)),
    ],
  ]
}
