/** The tables that people read. */
import { type Reference, type Row, references, type Spread } from './outcome.ts'
import type { Figure, Workload } from './workloads/workload.ts'

export function tableOf(workload: Workload, rows: readonly Row[], rounds: number): string {
  const [first, ...others] = workload.figures
  const shown = (Object.keys(references) as Reference[]).filter((name) => rows.some(({ ratios }) => name in ratios))
  const head = [
    workload.title,
    first.label,
    ...(rounds > 1 ? ['min .. max'] : []),
    ...shown.map((name) => references[name]),
    ...others.map(({ label }) => label),
  ]
  const lines = rows.map((row) => {
    const spread = row.figures[first.name] as Spread
    return [
      titleOf(row),
      show(spread.median, first),
      ...(rounds > 1 ? [`${show(spread.min, first)} .. ${show(spread.max, first)}`] : []),
      ...shown.map((name) => multiple(row.ratios[name])),
      ...others.map((figure) => show((row.figures[figure.name] as Spread).median, figure)),
    ]
  })
  const faults = rows.flatMap((row) => row.faults.map((fault) => `  ${titleOf(row)}, ${fault}`))
  return [...align([head, ...lines]), ...faults].join('\n')
}

export function titleOf({ contender, style }: Pick<Row, 'contender' | 'style'>): string {
  return `${contender} (${style})`
}

/** A figure in few digits: 3.81 M, 924 k, 0.54. */
export function show(value: number, { unit }: Figure): string {
  if (!Number.isFinite(value)) return '-'
  if (unit !== 'per second') return digits(value)
  if (value >= 1e6) return `${digits(value / 1e6)} M`
  return value >= 1e3 ? `${digits(value / 1e3)} k` : digits(value)
}

function digits(value: number): string {
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3)
}

function multiple(value: number | undefined): string {
  return value === undefined ? '' : `${value.toFixed(2)} x`
}

/** The first column to the left, the others to the right. */
function align(lines: readonly (readonly string[])[]): string[] {
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? []
  return lines.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}
