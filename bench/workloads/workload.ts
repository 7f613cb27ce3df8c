/** What a workload is to the harness: figures to fill in, contenders that can, and the measuring of one of them. */
import type { Adapter, Style } from '../contract.ts'
import type { Timing } from '../jobs.ts'

export interface Figure {
  readonly name: string
  /** Over its column. */
  readonly label: string
  readonly unit: 'per second' | 'us' | 'MiB'
}

export interface Measurement {
  readonly figures: Readonly<Record<string, number>>
  /** A measurement that lost or duplicated something is void. */
  readonly lost: number
  readonly duplicated: number
  /** What the product itself says of what it lost. */
  readonly complaint?: string | undefined
}

export interface Workload {
  readonly name: string
  readonly title: string
  /** The first is compared with other contenders' and decides. */
  readonly figures: readonly [Figure, ...Figure[]]
  /** The styles of a contender that get a row of their own; none if it cannot take part. */
  styles(adapter: Adapter): readonly Style[]
  measure(adapter: Adapter, style: Style, timing: Timing): Promise<Measurement>
}

/** Where one message at a time goes round it takes longer until the code is warm. */
export function longWarmUp(timing: Timing): Timing {
  return { ...timing, warmSeconds: timing.warmSeconds * 2 }
}

/** Milliseconds after which a process that should have measured by now is taken to hang. */
export function patienceMs({ warmSeconds, seconds }: Timing): number {
  return (warmSeconds + seconds) * 1000 + 15_000
}
