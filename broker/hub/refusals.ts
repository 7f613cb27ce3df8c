/**
 * What clients sent one way and was refused, until they are told. [BROKER 3.9]
 *
 * Floor 7. A client asks once, and is answered in the turn after something of it was refused. What comes meanwhile is
 * joined by topic and code, and beyond a few entries by code alone. Clients that do not ask cost little: only the latest
 * are remembered.
 */
import type { Clock } from '#base/clock'
import { type Deferred, deferred } from '#base/deferred'
import { SignalboxError } from '#base/errors'
import type { PeerInfo, Request } from '#socket/client'
import { encodeReply, type Refusal } from '../shared/replies.ts'

/** Entries that wait for one client; what does not fit is joined under no topic. */
const maxEntries = 16
/** Clients with refusals that nobody has asked for. */
const maxUnasked = 1_000
/** Questions of one client that wait; one more, and the oldest is answered with nothing. */
const maxWatches = 16
/** Fewer open questions than that are not looked through for those that nobody waits for any more. */
const leastSwept = 64

interface Watch {
  readonly request: Request
  readonly answer: Deferred<Uint8Array>
}

interface CountedRefusal extends Refusal {
  count: number
}

export class Refusals {
  readonly #clock: Clock
  readonly #maxAnswerBytes: number
  /** By link; the oldest first. */
  readonly #refusals = new Map<number, Map<string, CountedRefusal>>()
  readonly #watches = new Map<number, Watch[]>()
  #open = 0
  #sweepAt = leastSwept
  #isScheduled = false
  #isGathering = false
  #isClosed = false

  /** `maxAnswerBytes`: the largest answer that the broker can give. */
  constructor(clock: Clock, maxAnswerBytes: number) {
    this.#clock = clock
    this.#maxAnswerBytes = maxAnswerBytes
  }

  add(linkId: number, topic: string, error: unknown, count: number): void {
    let entries = this.#refusals.get(linkId)
    if (entries === undefined) {
      entries = new Map()
      this.#refusals.set(linkId, entries)
      const [oldest] = this.#refusals.keys()
      if (this.#refusals.size > maxUnasked && oldest !== undefined) this.#refusals.delete(oldest)
    }
    const { code, number, message } = errorParts(error)
    const known = entries.get(`${code} ${topic}`)
    const name = known || entries.size < maxEntries ? topic : ''
    const key = `${code} ${name}`
    const entry = entries.get(key)
    if (entry) entry.count += count
    else entries.set(key, { topic: name, code, number, message, count })
    this.#schedule()
  }

  /** Streams on which questions wait. */
  get streams(): number {
    const peers = new Set<PeerInfo>()
    for (const watches of this.#watches.values()) {
      for (const { request } of watches) if (!request.isCancelled) peers.add(request.peer)
    }
    return peers.size
  }

  /** Resolves with the answer. It is never heard where the stream has ended. */
  watch(linkId: number, request: Request): Promise<Uint8Array> {
    if (this.#isClosed) return Promise.resolve(this.#told(linkId))
    if (this.#open >= this.#sweepAt) this.#sweep()
    const watch: Watch = { request, answer: deferred() }
    const watches = this.#watches.get(linkId) ?? []
    this.#watches.set(linkId, watches)
    watches.push(watch)
    this.#open++
    if (watches.length > maxWatches) {
      this.#open--
      watches.shift()?.answer.resolve(encodeReply([]))
    }
    if (this.#refusals.has(linkId)) this.#schedule()
    return watch.answer.promise
  }

  /** Tells nothing until `close`: whoever is told now cannot ask again. */
  gather(): void {
    this.#isGathering = true
  }

  /** Answers everybody with what there is: they will ask the next broker. */
  close(): void {
    this.#isClosed = true
    for (const linkId of [...this.#watches.keys()]) while (this.#answer(linkId));
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#clock.turn(() => {
      this.#isScheduled = false
      if (this.#isGathering) return
      for (const linkId of [...this.#refusals.keys()]) this.#answer(linkId)
    })
  }

  /** Answers the first that still waits. False if nobody does. */
  #answer(linkId: number): boolean {
    const watches = this.#watches.get(linkId) ?? []
    for (let watch = watches.shift(); watch; watch = watches.shift()) {
      this.#open--
      if (watches.length === 0) this.#watches.delete(linkId)
      const { isCancelled } = watch.request
      watch.answer.resolve(isCancelled ? encodeReply([]) : this.#told(linkId))
      if (!isCancelled) return true
    }
    return false
  }

  /** What that client is to be told, or as much of it as fits: the rest waits until it asks again. */
  #told(linkId: number): Uint8Array {
    const entries = this.#refusals.get(linkId) ?? new Map<string, CountedRefusal>()
    let keys = [...entries.keys()]
    let answer = encodeReply([...entries.values()])
    while (answer.length > this.#maxAnswerBytes && keys.length > 1) {
      keys = keys.slice(0, keys.length >> 1)
      answer = encodeReply(keys.map((key) => entries.get(key)))
    }
    for (const key of keys) entries.delete(key)
    if (entries.size === 0) this.#refusals.delete(linkId)
    return answer
  }

  #sweep(): void {
    for (const [linkId, watches] of [...this.#watches]) {
      const left = watches.filter(({ request, answer }) => {
        if (request.isCancelled) answer.resolve(encodeReply([]))
        return !request.isCancelled
      })
      this.#open -= watches.length - left.length
      if (left.length > 0) this.#watches.set(linkId, left)
      else this.#watches.delete(linkId)
    }
    this.#sweepAt = Math.max(leastSwept, this.#open * 2)
  }
}

function errorParts(error: unknown): { code: string; number: number; message: string } {
  if (error instanceof SignalboxError) return { code: error.code, number: error.number, message: error.message }
  return { code: 'REMOTE', number: 0, message: String(error) }
}
