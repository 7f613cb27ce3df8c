/** One cell of the table as it came out, and the rows that the rounds' cells add up to. */
import type { Style } from './contract.ts'
import { median } from './statistics.ts'
import type { Workload } from './workloads/workload.ts'

export interface Outcome {
  readonly round: number
  readonly workload: string
  readonly contender: string
  readonly style: Style
  readonly status: 'ok' | 'void' | 'failed'
  /** Why it does not count. */
  readonly reason?: string
  readonly figures: Readonly<Record<string, number>>
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Whom the others are compared with, and what their columns are called. */
export const references = { nats: 'to NATS', relay: 'to relay', before: 'to before' } as const
export type Reference = keyof typeof references

export interface Row {
  readonly workload: string
  readonly contender: string
  readonly style: Style
  /** Over the rounds that count. */
  readonly figures: Readonly<Record<string, Spread>>
  /** The first figure as a multiple of another contender's in the same round, median over the rounds. */
  readonly ratios: Readonly<Partial<Record<Reference, number>>>
  /** Rounds that do not count, and why. */
  readonly faults: readonly string[]
}

/** The rows of one workload, in the order of their first outcome. */
export function rowsOf(workload: Workload, outcomes: readonly Outcome[]): Row[] {
  const mine = outcomes.filter((outcome) => outcome.workload === workload.name)
  const keys = [...new Set(mine.map(({ contender, style }) => `${contender} ${style}`))]
  return keys.map((key) => {
    const all = mine.filter(({ contender, style }) => `${contender} ${style}` === key)
    const { contender, style } = all[0] as Outcome
    const good = all.filter(({ status }) => status === 'ok')
    const figures = Object.fromEntries(
      workload.figures.map(({ name }) => [name, spread(good.map((outcome) => outcome.figures[name] ?? Number.NaN))]),
    )
    const faults = all.flatMap(({ round, status, reason }) =>
      status === 'ok' ? [] : [`round ${round} ${status}: ${reason}`],
    )
    const ratios = Object.fromEntries(
      Object.keys(references).flatMap((name) => {
        const value = ratio(workload.figures[0].name, good, mine, name)
        return value === undefined ? [] : [[name, value]]
      }),
    )
    return { workload: workload.name, contender, style, figures, ratios, faults }
  })
}

function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

function ratio(figure: string, of: readonly Outcome[], all: readonly Outcome[], name: string): number | undefined {
  const ratios = of.flatMap((outcome) => {
    const there = all.filter(
      ({ contender, round, status }) => contender === name && round === outcome.round && status === 'ok',
    )
    // Like with like, as far as there is a like.
    const other = there.find(({ style }) => style === outcome.style) ?? there.find(({ style }) => style === 'callback')
    const [mine, theirs] = [outcome.figures[figure], other?.figures[figure]]
    return mine === undefined || theirs === undefined ? [] : [mine / theirs]
  })
  return ratios.length > 0 ? median(ratios) : undefined
}
