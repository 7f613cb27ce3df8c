/** Keeps every cell as a line of `bench/results.ndjson`, with the commit and the machine that it was measured on. */
import { execFileSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Timing } from './jobs.ts'
import type { Outcome } from './outcome.ts'

const path = fileURLToPath(new URL('./results.ndjson', import.meta.url))

export class Journal {
  readonly #run: object

  constructor(timing: Timing) {
    this.#run = {
      date: new Date().toISOString(),
      commit: commit(),
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      cpu: cpus()[0]?.model.trim() ?? '',
      cores: availableParallelism(),
      ...timing,
    }
  }

  add(outcome: Outcome): void {
    appendFileSync(path, `${JSON.stringify({ ...this.#run, load: loadavg()[0], ...outcome })}\n`)
  }
}

/** With a '+' when the tree has changes that are not in it. */
function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '+')
  } catch {
    return 'unknown'
  }
}
