/** A process of the harness: started with a job, talked to over its line, and gone when the harness is. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Job } from './jobs.ts'
import { Line } from './line.ts'

const program = fileURLToPath(new URL('./worker.ts', import.meta.url))
const maxComplaint = 2_000

/** Every process that was started and has not ended; none outlives the harness. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Sees to it that a process ends with the harness at the latest. */
export function keepTrackOf(child: ChildProcess): void {
  running.add(child)
  child.once('exit', () => running.delete(child))
}

/** Collects the last of what a process complains about on stderr. */
export function complaintsOf(child: ChildProcess): () => string {
  let text = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-maxComplaint)
  })
  return () => text.trim()
}

export class Child {
  readonly role: string
  readonly line: Line
  readonly pid: number
  readonly #process: ChildProcess
  readonly #exited: Promise<void>

  constructor(job: Job) {
    this.role = job.role
    this.#process = fork(program, [JSON.stringify(job)], {
      execArgv: [...process.execArgv, '--expose-gc'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    keepTrackOf(this.#process)
    this.pid = this.#process.pid ?? 0
    this.line = new Line((note) => this.#process.connected && this.#process.send(note, () => {}))
    this.#process.on('message', (note) => this.line.take(note))
    const complaints = complaintsOf(this.#process)
    this.#exited = new Promise((resolve) => {
      this.#process.once('close', (code, signal) => {
        this.line.break(new Error(`the process '${job.role}' ended (${signal ?? code}): ${complaints()}`))
        resolve()
      })
    })
  }

  /** Where it is, for the report on a run that hung. */
  async describe(): Promise<string> {
    this.line.tell('describe', null)
    const { text } = await this.line.hear('description', 1_000).catch(() => ({ text: 'does not answer' }))
    return `${this.role}: ${text}`
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#exited
  }
}

/** Runs `use` with the processes of these jobs, and ends them whatever happens. */
export async function withChildren<T>(jobs: readonly Job[], use: (...children: Child[]) => Promise<T>): Promise<T> {
  const children = jobs.map((job) => new Child(job))
  try {
    await Promise.all(children.map((child) => child.line.hear('ready', 20_000)))
    return await use(...children)
  } catch (error) {
    const where = await Promise.all(children.map((child) => child.describe()))
    throw new Error(`${(error as Error).message} (${where.join('; ')})`, { cause: error })
  } finally {
    await Promise.all(children.map((child) => child.stop()))
  }
}
