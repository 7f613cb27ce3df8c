/** `npm run bench`: measures every workload with every contender, in turns, and prints what came out. */
import { availableParallelism, loadavg } from 'node:os'
import { resolve } from 'node:path'
import { peers } from './adapters/registry.ts'
import { findContenders, type Skipped } from './contenders.ts'
import type { Adapter, Style } from './contract.ts'
import { Journal } from './journal.ts'
import { type Options, parseOptions, usage } from './options.ts'
import { type Outcome, rowsOf } from './outcome.ts'
import { show, tableOf, titleOf } from './table.ts'
import { workloads } from './workloads/list.ts'
import type { Workload } from './workloads/workload.ts'

async function run(options: Options): Promise<void> {
  const { before } = options
  // By way of the environment, for the processes that are started have to find it too.
  if (before !== undefined) process.env['SIGNALBOX_BEFORE'] = resolve(before)
  const { adapters, skipped } = await findContenders([...(before === undefined ? [] : ['before']), ...options.peers])
  tellSkipped(skipped)
  tellLoad()
  const journal = new Journal(options.timing)
  const outcomes: Outcome[] = []
  for (const workload of options.workloads) {
    for (let round = 1; round <= options.rounds; round++) {
      for (const adapter of adapters) {
        for (const style of workload.styles(adapter)) {
          const outcome = await measure(workload, adapter, style, round, options)
          journal.add(outcome)
          outcomes.push(outcome)
          tell(workload, outcome)
        }
      }
    }
  }
  const tables = options.workloads.map((workload) => ({ workload, rows: rowsOf(workload, outcomes) }))
  if (options.json) {
    console.log(JSON.stringify(tables.flatMap(({ rows }) => rows)))
  } else {
    for (const { workload, rows } of tables) {
      if (rows.length > 0) console.log(`\n${tableOf(workload, rows, options.rounds)}`)
    }
  }
  if (outcomes.some(({ status }) => status !== 'ok')) process.exitCode = 1
}

async function measure(
  workload: Workload,
  adapter: Adapter,
  style: Style,
  round: number,
  { timing }: Options,
): Promise<Outcome> {
  const cell = { round, workload: workload.name, contender: adapter.name, style }
  try {
    const { figures, lost, duplicated, complaint } = await workload.measure(adapter, style, timing)
    if (lost + duplicated === 0) return { ...cell, status: 'ok', figures }
    const said = complaint === undefined ? '' : ` (it says: ${complaint})`
    return { ...cell, status: 'void', reason: `${lost} lost, ${duplicated} duplicated or out of order${said}`, figures }
  } catch (error) {
    return { ...cell, status: 'failed', reason: (error as Error).message, figures: {} }
  }
}

/** How far it is; on stderr, so that stdout is the result alone. */
function tell({ figures: [first] }: Workload, outcome: Outcome): void {
  const { round, workload, status, reason } = outcome
  const figure = `${show(outcome.figures[first.name] ?? Number.NaN, first)} ${first.label}`
  console.error(`${round}  ${workload}  ${titleOf(outcome)}  ${status === 'ok' ? figure : `${status}: ${reason}`}`)
}

function tellSkipped(skipped: readonly Skipped[]): void {
  for (const { name, reason } of skipped) console.error(`skipped: ${name}: ${reason}`)
}

/** Figures from a machine that others use are low, and so far apart that small differences mean nothing. */
function tellLoad(): void {
  const [load = 0] = loadavg()
  if (load < availableParallelism() / 4) return
  console.error(`the machine is busy (load ${load.toFixed(2)}): compare CPU per message rather than rates`)
}

async function list(): Promise<void> {
  for (const { name, title } of workloads) console.log(`${name.padEnd(20)}${title}`)
  const { adapters, skipped } = await findContenders(peers)
  console.log(`\ncontenders: ${adapters.map(({ name }) => name).join(', ')}`)
  tellSkipped(skipped)
}

process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))
try {
  const options = parseOptions(process.argv.slice(2))
  await (options.list ? list() : run(options))
} catch (error) {
  console.error(`${(error as Error).message}\n\n${usage}`)
  process.exitCode = 1
}
