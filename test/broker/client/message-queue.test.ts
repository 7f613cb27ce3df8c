/** A subscription's queue: every policy drops what it says, names it exactly, and counts what is left. */
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { MessageQueue } from '../../../broker/client/message-queue.ts'
import type { Overflow } from '../../../broker/client/options.ts'
import { ReceivedBatch } from '../../../broker/client/received-batch.ts'
import { BatchHeader } from '../../../broker/shared/batch.ts'
import type { Gap } from '../../../broker/shared/gap.ts'
import { lying, numbered } from '../shared/batches.ts'

let gaps: Gap[] = []
let errors: (Error | undefined)[] = []
let released: number[] = []

beforeEach(() => {
  gaps = []
  errors = []
  released = []
})

const queueOf = (buffer: number, overflow: Overflow) =>
  new MessageQueue(buffer, overflow, (gap, error) => {
    const { topic, first, last, epoch } = gap
    expect(epoch).toBe(7)
    gaps.push({ topic, first, last })
    errors.push(error)
  })

function push(queue: MessageQueue, bytes: Uint8Array): void {
  const header = new BatchHeader(bytes)
  const parcel = { batches: 0, release: () => void released.push(header.seq), compact: () => bytes.slice() }
  queue.push(new ReceivedBatch(header, header.topic, parcel))
}

const takeAll = (queue: MessageQueue) => {
  const values: unknown[] = []
  for (let message = queue.take(); message; message = queue.take()) values.push(message.data)
  return values
}

const every = ['block', 'drop-oldest', 'drop-newest', 'error'] as const

describe.each(every)('a queue with overflow %s', (overflow) => {
  it('gives messages in order, over any number of batches', () => {
    const queue = queueOf(100, overflow)
    push(queue, numbered('t', 1, 3))
    push(queue, numbered('t', 4, 1))
    push(queue, numbered('t', 5, 2))
    expect(queue.length).toBe(6)
    expect(takeAll(queue)).toEqual([1, 2, 3, 4, 5, 6])
    expect([queue.length, queue.take(), gaps]).toEqual([0, undefined, []])
  })

  it('drops nothing as long as the buffer holds it', () => {
    const queue = queueOf(5, overflow)
    push(queue, numbered('t', 1, 5))
    queue.enforce()
    expect(takeAll(queue)).toEqual([1, 2, 3, 4, 5])
  })

  it('tells what is lost of a malformed batch, with the error, and goes on with the next [BROKER 2.5]', () => {
    const queue = queueOf(100, overflow)
    push(queue, lying(numbered('t', 1, 5), 2))
    push(queue, numbered('t', 6, 2))
    expect(takeAll(queue)).toEqual([1, 2, 6, 7])
    expect([queue.length, gaps]).toEqual([0, [{ topic: 't', first: 3, last: 5 }]])
    expect(errors).toEqual([expect.objectContaining({ code: 'INVALID_BATCH' })])
  })

  it('gives what is waiting in one array, up to the number asked for', () => {
    const queue = queueOf(100, overflow)
    push(queue, numbered('a', 1, 3))
    push(queue, numbered('b', 1, 3))
    expect(queue.takeMany(4).map(({ topic, seq }) => `${topic}${seq}`)).toEqual(['a1', 'a2', 'a3', 'b1'])
    expect(queue.takeMany(4)).toHaveLength(2)
    expect(queue.takeMany(4)).toEqual([])
  })

  it('is empty after clear, and has given all credit back', () => {
    const queue = queueOf(100, overflow)
    push(queue, numbered('t', 1, 3))
    push(queue, numbered('t', 4, 3))
    queue.take()
    queue.clear()
    expect([queue.length, queue.take(), released]).toEqual([0, undefined, [1, 4]])
  })
})

describe('a queue that blocks', () => {
  it('gives the credit of a batch back with its last message', () => {
    const queue = queueOf(1, 'block')
    push(queue, numbered('t', 1, 2))
    push(queue, numbered('t', 3, 2))
    queue.enforce()
    queue.take()
    expect(released).toEqual([])
    queue.take()
    expect(released).toEqual([1])
    takeAll(queue)
    expect([released, gaps]).toEqual([[1, 3], []])
  })
})

describe('a queue that drops the oldest', () => {
  it('keeps the newest, and tells of the others', () => {
    const queue = queueOf(4, 'drop-oldest')
    push(queue, numbered('a', 1, 3))
    push(queue, numbered('b', 1, 3))
    push(queue, numbered('a', 4, 2))
    queue.enforce()
    expect(gaps).toEqual([
      { topic: 'a', first: 1, last: 3 },
      { topic: 'b', first: 1, last: 1 },
    ])
    expect([queue.length, takeAll(queue)]).toEqual([4, [2, 3, 4, 5]])
  })

  it('gives all credit back, once per turn', () => {
    const queue = queueOf(4, 'drop-oldest')
    push(queue, numbered('t', 1, 3))
    push(queue, numbered('t', 4, 3))
    takeAll(queue)
    expect(released).toEqual([])
    queue.enforce()
    queue.enforce()
    expect(released).toEqual([1, 4])
  })

  it('drops all of a batch that is malformed in what is to be dropped, and counts right', () => {
    const queue = queueOf(4, 'drop-oldest')
    push(queue, lying(numbered('t', 1, 6), 0))
    push(queue, numbered('t', 7, 3))
    queue.enforce()
    expect([queue.length, gaps]).toEqual([3, [{ topic: 't', first: 1, last: 6 }]])
    expect([takeAll(queue), queue.length]).toEqual([[7, 8, 9], 0])
  })
})

describe('a queue that drops the newest', () => {
  it('keeps the oldest, and tells of the others in order', () => {
    const queue = queueOf(4, 'drop-newest')
    push(queue, numbered('a', 1, 3))
    push(queue, numbered('b', 1, 3))
    push(queue, numbered('a', 4, 2))
    queue.enforce()
    expect(gaps).toEqual([
      { topic: 'b', first: 2, last: 3 },
      { topic: 'a', first: 4, last: 5 },
    ])
    expect([queue.length, takeAll(queue)]).toEqual([4, [1, 2, 3, 1]])
  })

  it('keeps its place in a batch that has begun to be read', () => {
    const queue = queueOf(2, 'drop-newest')
    push(queue, numbered('t', 1, 5))
    queue.take()
    queue.enforce()
    expect([takeAll(queue), gaps]).toEqual([[2, 3], [{ topic: 't', first: 4, last: 5 }]])
  })
})

describe('a queue that fails on overflow', () => {
  it('throws QUEUE_OVERFLOW with the numbers, and drops nothing', () => {
    const queue = queueOf(2, 'error')
    push(queue, numbered('t', 1, 3))
    const details = { limit: 2, actual: 3 }
    expect(() => queue.enforce()).toThrow(expect.objectContaining({ code: 'QUEUE_OVERFLOW', details }))
    expect([takeAll(queue), gaps]).toEqual([[1, 2, 3], []])
  })
})

describe('whatever happens to a queue', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('push' as const), count: fc.integer({ min: 1, max: 6 }), lies: fc.option(fc.nat(5)) }),
    fc.record({ do: fc.constant('take' as const), count: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ do: fc.constant('enforce' as const) }),
  )

  it('every message is taken once or told as lost once, in order, and length is what is left', () => {
    const policy = fc.constantFrom('block' as const, 'drop-oldest' as const, 'drop-newest' as const)
    fc.assert(
      fc.property(policy, fc.integer({ min: 1, max: 8 }), fc.array(step), (overflow, buffer, steps) => {
        gaps = []
        const queue = queueOf(buffer, overflow)
        const taken: number[] = []
        let pushed = 0
        for (const each of [...steps, { do: 'take' as const, count: 1_000 }]) {
          if (each.do === 'enforce') queue.enforce()
          else if (each.do === 'take') taken.push(...queue.takeMany(each.count).map(({ seq }) => seq))
          else {
            const bytes = numbered('t', pushed + 1, each.count)
            push(queue, each.lies === null ? bytes : lying(bytes, each.lies % each.count))
            pushed += each.count
          }
          if (each.do === 'enforce' && overflow !== 'block') expect(queue.length).toBeLessThanOrEqual(buffer)
        }
        const lost = gaps.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
        expect(taken).toEqual([...taken].sort((a, b) => a - b))
        expect([...taken, ...lost].sort((a, b) => a - b)).toEqual(Array.from({ length: pushed }, (_, i) => i + 1))
        expect(queue.length).toBe(0)
      }),
    )
  })
})
