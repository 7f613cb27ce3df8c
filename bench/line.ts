/** The line between the harness and one of its processes: notes in both directions, over Node's IPC. */

/** What can be said, and what is said with it. */
export interface Notes {
  /** The process is in place; a server says where. */
  readonly ready: { readonly url: string }
  readonly go: null
  /** To a server in Node: collect garbage, and say so. */
  readonly collect: null
  readonly collected: null
  /** The measured window begins. */
  readonly begin: null
  /** The measured window is over; it saw that many messages. */
  readonly end: { readonly messages: number }
  /** A publisher is through: what it sent per lane, and its CPU time per message. */
  readonly sent: { readonly lanes: readonly number[]; readonly cpuUs: number }
  /** To a subscriber: what to wait for. */
  readonly expect: { readonly lanes: readonly number[] }
  /** What a process measured. */
  readonly done: Done
  /** To a process that hangs: say where you are. */
  readonly describe: null
  readonly description: { readonly text: string }
  readonly failed: { readonly message: string }
}

export interface Done {
  readonly figures: Readonly<Record<string, number>>
  /** Latencies in microseconds, where those of two processes are put together. */
  readonly samples?: readonly number[]
  readonly lost?: number
  readonly duplicated?: number
  /** What the product itself says of what it lost. */
  readonly complaint?: string | undefined
}

interface Note {
  readonly type: keyof Notes
  readonly body: unknown
}

interface Waiting {
  readonly resolve: (body: never) => void
  readonly reject: (error: Error) => void
}

export class Line {
  readonly #send: (note: Note) => void
  readonly #heard = new Map<string, unknown[]>()
  readonly #waiting = new Map<string, Waiting>()
  #broken: Error | undefined

  constructor(send: (note: Note) => void) {
    this.#send = send
  }

  tell<K extends keyof Notes>(type: K, body: Notes[K]): void {
    this.#send({ type, body })
  }

  /**
   * The next note of that type; notes that came before they were asked for are kept. Rejects when it takes too long.
   */
  hear<K extends keyof Notes>(type: K, timeoutMs = Number.POSITIVE_INFINITY): Promise<Notes[K]> {
    const kept = this.#heard.get(type)
    if (kept !== undefined && kept.length > 0) return Promise.resolve(kept.shift() as Notes[K])
    if (this.#broken) return Promise.reject(this.#broken)
    return new Promise((resolve, reject) => {
      const isBounded = Number.isFinite(timeoutMs)
      const timer = isBounded ? setTimeout(() => settle(reject, new Late(type, timeoutMs)), timeoutMs) : undefined
      const settle = <V>(how: (value: V) => void, value: V): void => {
        clearTimeout(timer)
        this.#waiting.delete(type)
        how(value)
      }
      this.#waiting.set(type, {
        resolve: (body) => settle(resolve, body),
        reject: (error) => settle(reject, error),
      })
    })
  }

  /** @internal A note has come. */
  take(note: unknown): void {
    const { type, body } = note as Note
    if (type === 'failed') {
      this.break(new Error((body as Notes['failed']).message))
      return
    }
    const waiting = this.#waiting.get(type)
    if (waiting) waiting.resolve(body as never)
    else this.#heard.set(type, [...(this.#heard.get(type) ?? []), body])
  }

  /** @internal Nothing more will come. */
  break(error: Error): void {
    this.#broken ??= error
    for (const waiting of [...this.#waiting.values()]) waiting.reject(this.#broken)
  }
}

/** A process did not say in time what it was waited for. */
export class Late extends Error {
  constructor(type: string, timeoutMs: number) {
    super(`no '${type}' within ${timeoutMs} ms`)
  }
}
