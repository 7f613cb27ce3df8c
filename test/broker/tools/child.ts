/**
 * A program of test/broker/programs in a process of its own. It says things in lines of JSON on its standard output,
 * and may take commands the same way on its input.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const folder = join(import.meta.dirname, '../programs')

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

type Said = Record<string, unknown>

export class Child implements AsyncDisposable {
  readonly process: ChildProcess
  readonly exit: Promise<Exit>
  /** What it has said and nobody has asked for. */
  readonly #said: Said[] = []
  #heard = (): void => {}
  /** What it wrote to its standard error. */
  complaints = ''
  #isOver = false

  constructor(program: string, argument: object, flags: readonly string[] = []) {
    const node = ['--import', 'tsx', '--conditions=signalbox-source', ...flags]
    const path = join(folder, `${program}.ts`)
    this.process = spawn(process.execPath, [...node, path, JSON.stringify(argument)], { stdio: 'pipe' })
    this.exit = once(this.process, 'close').then(([code, signal]) => {
      this.#isOver = true
      this.#heard()
      return { code, signal }
    })
    this.process.stderr?.on('data', (text) => {
      this.complaints += text
    })
    this.process.stdin?.on('error', () => {})
    createInterface({ input: this.process.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      if (!line.startsWith('{')) return
      this.#said.push(JSON.parse(line))
      this.#heard()
    })
  }

  /** Starts it and waits until it says `ready`. */
  static async start<T = Said>(program: string, argument: object = {}, flags: readonly string[] = []) {
    const child = new Child(program, argument, flags)
    const ready = await child.hear<T>('ready')
    return { child, ...ready }
  }

  /** The next thing it says under this name, and all that it says with it. One listener at a time. */
  async hear<T = Said>(name: string): Promise<T> {
    for (;;) {
      const at = this.#said.findIndex((line) => name in line)
      if (at >= 0) return this.#said.splice(at, 1)[0] as T
      if (this.#isOver) throw new Error(`it ended without '${name}': ${this.complaints}`)
      await new Promise<void>((resolve) => {
        this.#heard = resolve
      })
    }
  }

  tell(command: object): void {
    this.process.stdin?.write(`${JSON.stringify(command)}\n`)
  }

  /** Tells it a command, and waits for the answer of that name. */
  async ask<T = Said>(name: string, argument: unknown = true): Promise<T> {
    this.tell({ [name]: argument })
    return await this.hear<T>(name)
  }

  /** Ends it at once, without a chance to say goodbye. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL')
    await this.exit
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) await this.kill()
  }
}
