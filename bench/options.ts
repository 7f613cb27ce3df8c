/** The command line: its options, their meaning and their defaults. */
import { parseArgs } from 'node:util'
import { peers } from './adapters/registry.ts'
import type { Timing } from './jobs.ts'
import { workloads } from './workloads/list.ts'
import type { Workload } from './workloads/workload.ts'

export interface Options {
  readonly peers: readonly string[]
  /** Another build of this project, to be compared with. */
  readonly before: string | undefined
  readonly rounds: number
  readonly workloads: readonly Workload[]
  readonly timing: Timing
  readonly list: boolean
  readonly json: boolean
}

export const usage = `npm run bench -- [options]

  --peers <names>     other products to measure as well: ${peers.join(',')}
  --before <folder>   another checkout of Signalbox, built, to compare this one with
  --only <names>      workloads of these names, or whose names begin so, e.g. request,1-to-1
  --rounds <n>        how often each is measured, in turns (default 1)
  --seconds <n>       how long each is measured (default 1), after a warm-up of 0.5 or 1
  --list              say what there is and what is missing, and measure nothing
  --json              print JSON in place of tables
`

const warmSeconds = 0.5

/** Throws an Error that says what is wrong. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      peers: { type: 'string', default: '' },
      before: { type: 'string' },
      only: { type: 'string', default: '' },
      rounds: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '1' },
      list: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const chosen = words(values.peers)
  for (const name of chosen) {
    if (!(peers as readonly string[]).includes(name))
      throw new Error(`--peers: '${name}' is not one of ${peers.join()}`)
  }
  const only = words(values.only)
  const wanted = workloads.filter(({ name }) => only.length === 0 || only.some((word) => isMeant(name, word)))
  if (wanted.length === 0) throw new Error(`--only: no workload's name begins with '${values.only}'; see --list`)
  const rounds = positive('rounds', values.rounds)
  if (!Number.isInteger(rounds)) throw new Error('--rounds: a whole number')
  const timing = { warmSeconds, seconds: positive('seconds', values.seconds) }
  const { before, list, json } = values
  return { peers: chosen, before, rounds, workloads: wanted, timing, list, json }
}

/** A word is the name of one workload, or else the beginning of some. */
function isMeant(name: string, word: string): boolean {
  return workloads.some((workload) => workload.name === word) ? name === word : name.startsWith(word)
}

function words(text: string): string[] {
  return text.split(',').filter((word) => word !== '')
}

function positive(name: string, text: string): number {
  const number = Number(text)
  if (!(number > 0 && Number.isFinite(number))) throw new Error(`--${name}: a number above 0, not '${text}'`)
  return number
}
