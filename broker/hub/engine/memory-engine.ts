/**
 * The engine of a broker without a store: everything is visible at once, and what topics keep is in memory.
 *
 * Floor 8. Positions have no holes here, and the time never goes back, whatever the machine's clock does.
 */
import type { Clock } from '#base/clock'
import type { MemoryBudget } from '#base/memory-budget'
import { type BatchHeader, stamp } from '../../shared/batch.ts'
import type {
  Engine,
  EngineCapabilities,
  EngineHost,
  Page,
  Query,
  StateKind,
  StateRecord,
  Ticket,
  TopicRef,
} from './engine.ts'
import { MemoryLog } from './memory-log.ts'
import { States } from './states.ts'

/** What of the budget all that is kept may take. */
const keptPart = 1 / 2

const capabilities: EngineCapabilities = Object.freeze({ durable: false, shared: false, order: 'all', flush: 'memory' })

export class MemoryEngine implements Engine {
  readonly capabilities: EngineCapabilities = capabilities
  position = 0
  readonly #clock: Clock
  readonly #log: MemoryLog
  readonly #states = new States()
  #host: EngineHost | undefined
  #time = 0

  constructor(clock: Clock, memory: MemoryBudget) {
    this.#clock = clock
    const trimmed: EngineHost['trimmed'] = (...what) => this.#host?.trimmed(...what)
    this.#log = new MemoryLog(memory, memory.limit * keptPart, trimmed)
  }

  async open(host: EngineHost): Promise<void> {
    this.#host = host
    host.changed('ready')
  }

  append(batch: BatchHeader, topic: TopicRef, ticket?: Ticket): boolean {
    const now = this.#clock.now()
    if (now > this.#time) this.#time = now
    const time = this.#time
    const [seq, position] = [topic.seq + 1, this.position + 1]
    stamp(batch.bytes, batch.at, topic.epoch, seq, position, time)
    if (topic.seq === 0) topic.firstPosition = position
    topic.seq += batch.count
    this.position += batch.count
    topic.lastPosition = this.position
    if (topic.keep) this.#log.append(batch, topic, topic.keep, seq, position, time)
    if (ticket) this.#host?.settled(ticket, { seq, position, time })
    return true
  }

  async read(query: Query): Promise<Page> {
    return this.#log.read(query, this.position)
  }

  interest(): undefined {}

  async trim(topic: TopicRef, before: number): Promise<number> {
    return this.#log.trim(topic, before)
  }

  async load(kind: StateKind, prefix = ''): Promise<readonly StateRecord[]> {
    return this.#states.load(kind, prefix)
  }

  async save(kind: StateKind, key: string, value: Uint8Array | null, expected: number): Promise<number> {
    return this.#states.save(kind, key, value, expected)
  }

  async close(): Promise<void> {
    this.#host = undefined
    this.#log.clear()
  }
}
