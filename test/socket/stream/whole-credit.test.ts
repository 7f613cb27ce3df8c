/**
 * Whatever happens to the messages of a stream, their credit comes back once: after any run of requests, answers,
 * one-way messages, cancels, holds, ENDs and RESETs every stream that still lives has all of it, and nothing is counted
 * in memory any more.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryBudget } from '../../../base/memory-budget.ts'
import { Answering } from '../../../socket/client/answering/answering.ts'
import { Inbox } from '../../../socket/client/answering/inbox.ts'
import { Request } from '../../../socket/client/answering/request.ts'
import { type LinkSettings, linkSettings } from '../../../socket/options.ts'
import { Backlog } from '../../../socket/stream/backlog.ts'
import { GrowthBudget } from '../../../socket/stream/credit.ts'
import { type Outgoing, Stream, type StreamHost, type StreamOwner } from '../../../socket/stream/stream.ts'
import type { Port } from '../../../socket/transport/port.ts'
import type { PeerInfo } from '../../../socket/wire/peer.ts'

const maxMessageBytes = 300_000
const peer: PeerInfo = { linkId: 1, name: '', transport: 'local', address: '', identity: {}, features: ['header'] }

/** One side: what it sends waits until it is delivered, and fragments until they are pumped. */
class Side implements StreamHost {
  readonly memory: MemoryBudget
  readonly settings: LinkSettings
  readonly growth = new GrowthBudget(256 * 1024)
  readonly streams = new Map<number, Stream>()
  readonly sent: Parameters<Port['send']>[] = []
  readonly port = { send: (...frame: Parameters<Port['send']>) => this.sent.push(frame) } as unknown as Port
  readonly #pumping = new Set<Stream>()

  constructor(memoryBytes: number) {
    this.memory = new MemoryBudget(memoryBytes)
    this.settings = { ...linkSettings({ maxMessageBytes, maxBufferedBytes: 500_000 }), memory: this.memory }
  }

  wantsPump(stream: Stream): void {
    this.#pumping.add(stream)
  }

  forget(stream: Stream): void {
    this.streams.delete(stream.number)
  }

  pump(): void {
    const pumping = [...this.#pumping]
    this.#pumping.clear()
    for (const stream of pumping) if (stream.pump(1)) this.#pumping.add(stream)
  }

  /** Hands what was sent to the other side, `count` frames at most. Returns how many they were. */
  deliver(to: Side, count: number): number {
    const frames = this.sent.splice(0, count)
    for (const [kind, flags, number, id, bytes, start, end] of frames) {
      const stream = to.streams.get(number)
      try {
        stream?.frame(kind, flags, id, bytes, start, end)
      } catch (error) {
        stream?.fail(error as never)
      }
    }
    return frames.length
  }
}

class Message implements Outgoing {
  readonly flags = 0
  readonly isGiven = false
  isWaiting = false
  readonly id: number
  readonly bytes: Uint8Array
  readonly ordered: boolean
  stream: Stream | undefined

  constructor(id: number, size: number, ordered: boolean) {
    this.id = id
    this.bytes = new Uint8Array(size)
    this.ordered = ordered
  }

  leaving(stream: Stream): void {
    this.stream = stream
  }

  left(): void {}
  fail(): void {}
}

/** Consumes each answer as it comes. */
class Caller implements StreamOwner {
  readonly backlogs = new Map<Stream, Backlog>()
  readonly open: Message[] = []
  #lastId = 0

  send(side: Side, stream: Stream, size: number, isRequest: boolean): void {
    const backlog =
      this.backlogs.get(stream) ??
      new Backlog(500_000, side.memory, (length, ordered) => (stream.canBegin(length, ordered) ? stream : undefined))
    this.backlogs.set(stream, backlog)
    const message = new Message(isRequest ? ++this.#lastId : 0, size, !isRequest)
    try {
      backlog.send(message)
      if (isRequest) this.open.push(message)
    } catch {
      // BUFFER_FULL: it did not get anywhere.
    }
  }

  cancel(message: Message): void {
    if (message.stream) message.stream.cancel(message.id)
    else for (const backlog of this.backlogs.values()) backlog.remove(message)
  }

  message(stream: Stream, ...[, id, , start, end, cost]: Tail): void {
    const at = this.open.findIndex((message) => message.id === id)
    if (at >= 0) this.open.splice(at, 1)
    stream.consumed(cost, end - start)
  }

  discarded(): void {}
  cancelled(): void {}
  writable(stream: Stream): void {
    this.backlogs.get(stream)?.pump()
  }
  finished(stream: Stream): void {
    stream.end()
  }
  gone(stream: Stream): void {
    this.backlogs.get(stream)?.fail(new Error('gone'))
  }
}

type Tail = [flags: number, id: number, bytes: Uint8Array, start: number, end: number, cost: number]

/** Keeps what comes in an inbox, as a Provider does. */
class Answers implements StreamOwner {
  readonly answerings = new Map<Stream, Answering>()
  readonly inbox: Inbox
  readonly taken: Request[] = []
  readonly #settings: LinkSettings

  constructor(settings: LinkSettings) {
    this.#settings = settings
    this.inbox = new Inbox(settings.maxBufferedBytes, settings.memory)
  }

  add(stream: Stream): void {
    this.answerings.set(stream, new Answering(stream, this.#settings, this))
  }

  message(stream: Stream, ...[, id, bytes, start, end, cost]: Tail): void {
    const answering = this.answerings.get(stream) as Answering
    const request = new Request(answering, id, bytes, start, end, cost, start)
    answering.take(request)
    this.inbox.push(request)
  }

  discarded(stream: Stream, id: number, error: Error): void {
    this.answerings.get(stream)?.refuse(id, error as never)
  }
  cancelled(stream: Stream, id: number): void {
    const request = this.answerings.get(stream)?.cancel(id)
    if (request?.isQueued) this.inbox.cancelled(request)
    this.answerings.get(stream)?.finishIfDone()
  }
  writable(stream: Stream): void {
    this.answerings.get(stream)?.writable()
  }
  finished(stream: Stream): void {
    stream.end()
    this.answerings.get(stream)?.finishIfDone()
  }
  gone(stream: Stream, error: never): void {
    this.answerings.get(stream)?.drop(error)
    this.answered(stream)
  }
  answered(stream: Stream): void {
    const queued = this.answerings.get(stream)?.queued
    this.answerings.delete(stream)
    if (queued) this.inbox.orphan(queued, true)
  }
}

const size = fc.oneof(fc.nat(200), fc.nat(60_000), fc.integer({ min: 65_000, max: 310_000 }))
const at = fc.nat(1_000)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('send' as const), at, size, isRequest: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ what: fc.constantFrom('deliver' as const), at, size }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constantFrom('take' as const, 'hold' as const), at, size }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constantFrom('answer' as const), at, size }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('cancel' as const), at, size }) },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constantFrom('end' as const, 'reset' as const, 'leave' as const), at, size }),
  },
)

const pick = <T>(from: readonly T[], index: number): T | undefined => from[index % Math.max(1, from.length)]

describe('the credit of streams', () => {
  it('[SOCK 6] is whole again after anything, and nothing is held any more', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.constantFrom(400_000, 1e9), (steps, memoryBytes) => {
        const [near, far] = [new Side(1e9), new Side(memoryBytes)]
        const caller = new Caller()
        const answers = new Answers(far.settings)
        const streams: [Stream, Stream][] = []
        for (let number = 1; number <= 3; number++) {
          const pair: [Stream, Stream] = [
            new Stream(number, peer, near, caller),
            new Stream(number, peer, far, answers),
          ]
          near.streams.set(number, pair[0])
          far.streams.set(number, pair[1])
          answers.add(pair[1])
          streams.push(pair)
        }
        const move = (count: number): number => {
          near.pump()
          far.pump()
          return near.deliver(far, count) + far.deliver(near, count)
        }
        const answer = (request: Request, bytes: number): void => {
          request.respond(new Uint8Array(bytes)).catch(() => {})
          request.release()
        }
        for (const step of steps) {
          const [nearEnd, farEnd] = pick(streams, step.at) as [Stream, Stream]
          if (step.what === 'send') caller.send(near, nearEnd, Math.min(step.size, maxMessageBytes), step.isRequest)
          else if (step.what === 'deliver') move(1 + (step.at % 5))
          else if (step.what === 'take' || step.what === 'hold') {
            const request = answers.inbox.shift()
            if (step.what === 'hold') request?.hold()
            request?.consumed()
            if (request) answers.taken.push(request)
          } else if (step.what === 'answer') {
            const request = answers.taken.splice(step.at % Math.max(1, answers.taken.length), 1)[0]
            if (request) answer(request, step.size)
          } else if (step.what === 'cancel') {
            const message = caller.open.splice(step.at % Math.max(1, caller.open.length), 1)[0]
            if (message) caller.cancel(message)
          } else if (step.what === 'end') nearEnd.end()
          else if (step.what === 'leave') farEnd.end()
          else if (near.streams.has(nearEnd.number)) {
            nearEnd.reset()
            caller.gone(nearEnd)
          }
        }
        for (let moved = 1; moved > 0; ) {
          moved = move(10)
          for (let request = answers.inbox.shift(); request; request = answers.inbox.shift()) {
            request.consumed()
            answer(request, 10)
            moved++
          }
          for (const request of answers.taken.splice(0)) {
            answer(request, 10)
            moved++
          }
        }
        // What was begun too late waits for another Provider.
        for (const backlog of caller.backlogs.values()) backlog.fail(new Error('over'))
        for (const stream of [...near.streams.values(), ...far.streams.values()]) {
          expect([stream.number, stream.isCreditWhole, stream.credit > 0]).toEqual([stream.number, true, true])
        }
        expect([near.memory.used, far.memory.used, near.sent.length + far.sent.length]).toEqual([0, 0, 0])
        expect([...far.streams.keys()]).toEqual([...near.streams.keys()])
      }),
      { numRuns: 500 },
    )
  })
})
