/** The measured window, as the receiving side sees it: so long after the first message, for so long. */
import type { Timing } from './jobs.ts'

interface Mark {
  readonly atMs: number
  readonly messages: number
  readonly cpu: NodeJS.CpuUsage
}

export class Window {
  /** Messages so far, warm-up and all. */
  messages = 0
  readonly #timing: Timing
  readonly #stride: number
  readonly #began: () => void
  readonly #ended: (messages: number) => void
  /** The count at which the clock is looked at next. */
  #lookAt = 1
  #firstMs: number | undefined
  #begin: Mark | undefined
  #end: Mark | undefined

  constructor(timing: Timing, stride: number, began: () => void, ended: (messages: number) => void) {
    this.#timing = timing
    this.#stride = stride
    this.#began = began
    this.#ended = ended
  }

  get isOpen(): boolean {
    return this.#begin !== undefined && this.#end === undefined
  }

  get isOver(): boolean {
    return this.#end !== undefined
  }

  tick(messages: number): void {
    this.messages += messages
    if (this.messages >= this.#lookAt) this.#look()
  }

  /** Messages per second, and CPU microseconds of this process per message. Only once it is over. */
  figures(): { readonly rate: number; readonly cpuUs: number } {
    const [begin, end] = [this.#begin, this.#end]
    if (!begin || !end) throw new Error(`the window did not fill: ${this.messages} messages came`)
    const messages = end.messages - begin.messages
    const cpuUs = end.cpu.user + end.cpu.system - begin.cpu.user - begin.cpu.system
    return { rate: messages / ((end.atMs - begin.atMs) / 1000), cpuUs: cpuUs / messages }
  }

  #look(): void {
    const atMs = performance.now()
    this.#lookAt = this.messages + this.#stride
    this.#firstMs ??= atMs
    const { warmSeconds, seconds } = this.#timing
    if (this.#begin === undefined) {
      if (atMs < this.#firstMs + warmSeconds * 1000) return
      this.#begin = { atMs, messages: this.messages, cpu: process.cpuUsage() }
      this.#began()
    } else if (atMs >= this.#begin.atMs + seconds * 1000) {
      this.#end = { atMs, messages: this.messages, cpu: process.cpuUsage() }
      this.#lookAt = Number.POSITIVE_INFINITY
      this.#ended(this.messages - this.#begin.messages)
    }
  }
}
