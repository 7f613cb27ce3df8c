/**
 * Programs that run as processes of their own: they say lines, are told lines, and can be frozen and killed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { until } from './until.ts'

const flags = ['--import', 'tsx', '--conditions=signalbox-source', '--unhandled-rejections=strict']

export class Child implements AsyncDisposable {
  readonly process: ChildProcess
  readonly lines: string[] = []
  /** What it wrote to its error output; empty for a program that has nothing to complain about. */
  errors = ''
  #rest = ''

  /** Starts `programs/<name>.ts`. */
  constructor(name: string, ...args: string[]) {
    const file = join(import.meta.dirname, '../programs', `${name}.ts`)
    this.process = spawn(process.execPath, [...flags, file, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop() ?? ''
      this.lines.push(...lines)
    })
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text
    })
    this.process.stdin?.on('error', () => {})
  }

  get isOver(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null
  }

  /** Resolves with the first line that begins so, without that beginning. */
  async says(beginning: string): Promise<string> {
    const line = await until(`the program says '${beginning}'`, () => {
      const found = this.lines.find((each) => each.startsWith(beginning))
      if (found === undefined && this.isOver) throw new Error(`it ended before it said '${beginning}': ${this.errors}`)
      return found
    })
    return line.slice(beginning.length).trim()
  }

  tell(line: string): void {
    this.process.stdin?.write(`${line}\n`)
  }

  /** Stops it in its tracks, as a debugger or an overloaded machine does. */
  freeze(): void {
    this.process.kill('SIGSTOP')
  }

  thaw(): void {
    this.process.kill('SIGCONT')
  }

  /** Resolves with its exit code, or with the signal that ended it, once it has ended by itself. */
  async ended(): Promise<number | string> {
    await until('the program ends', () => this.isOver)
    await until('its output is complete', () => this.process.stdout?.closed && this.process.stderr?.closed)
    return this.process.exitCode ?? this.process.signalCode ?? ''
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isOver) this.process.kill('SIGKILL')
    await this.ended()
  }
}
