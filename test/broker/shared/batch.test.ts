/** The record batch: what is written is read again, and nothing that lies is believed. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SignalboxError } from '../../../base/errors.ts'
import { ReceivedBatch } from '../../../broker/client/received-batch.ts'
import {
  BatchHeader,
  batchHeaderBytes,
  nextRecord,
  readU64,
  withoutFirst,
  writeU64,
} from '../../../broker/shared/batch.ts'
import { batchOf, join, jsonValue, lying, numbered } from './batches.ts'

const text = (maxLength: number) => fc.string({ minLength: 1, maxLength, unit: 'grapheme' })
const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const entry = fc.record({
  value: fc.oneof(jsonValue(), fc.uint8Array({ maxLength: 100 })),
  attributes: fc.option(fc.record({ id: text(10), headers: fc.dictionary(text(5), text(5)) }), { nil: undefined }),
})
const content = fc.record({
  topic: text(20),
  producerId: fc.string({ maxLength: 20 }),
  sender: fc.string({ maxLength: 20 }),
  producerSeq: count,
  entries: fc.array(entry, { minLength: 1, maxLength: 10 }),
  epoch: fc.integer({ min: 0, max: 0xffff_ffff }),
  seq: count,
  position: count,
  time: count,
})

const nobody = { batches: 0, release: () => {}, compact: () => new Uint8Array(0) }
const received = (bytes: Uint8Array) => {
  const header = new BatchHeader(bytes)
  return new ReceivedBatch(header, header.topic, nobody)
}

/** Reads everything that can be read of bytes that may be anything. */
function readAll(bytes: Uint8Array): void {
  const batch = received(bytes)
  const { producerId, sender, header } = batch
  const read: unknown[] = [producerId, sender, header.epoch, header.position, header.time]
  while (batch.left > 0) {
    const message = batch.next()
    for (const key of ['id', 'headers', 'data', 'payload', 'correlationId'] as const) {
      try {
        read.push(message[key])
      } catch (error) {
        expect(error).toBeInstanceOf(SignalboxError)
      }
    }
  }
}

function expectCalm(bytes: Uint8Array): void {
  try {
    readAll(bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(SignalboxError)
    expect((error as SignalboxError).code).toBe('INVALID_BATCH')
  }
}

describe('a record batch', () => {
  it('gives back what was written into it [BROKER 2.1] [BROKER 2.4]', () => {
    fc.assert(
      fc.property(content, (given) => {
        const batch = received(batchOf(given))
        const { header } = batch
        const { topic, producerId, sender, epoch, seq, position, time, producerSeq } = given
        expect(header).toMatchObject({ topic, producerId, sender, epoch, seq, position, time, producerSeq })
        expect(header.count).toBe(given.entries.length)
        for (const { value, attributes } of given.entries) {
          const message = batch.next()
          // Minus zero is zero in msgpack, as in JSON.
          expect(message.data).toEqual(value instanceof Uint8Array ? value : JSON.parse(JSON.stringify(value)))
          expect(message.headers).toEqual(attributes?.headers ?? {})
          if (attributes) expect(message.id).toBe(attributes.id)
        }
        expect(batch.left).toBe(0)
      }),
    )
  })

  it('carries sequences up to the largest safe integer [BROKER 2.1]', () => {
    const bytes = new Uint8Array(8)
    for (const value of [0, 1, 0xffff_ffff, 2 ** 32, 2 ** 52 + 12_345, Number.MAX_SAFE_INTEGER]) {
      writeU64(bytes, 0, value)
      expect(readU64(bytes, 0)).toBe(value)
    }
  })

  it('lies anywhere in a parcel, and says where the next one begins [BROKER 2.2]', () => {
    const parts = [numbered('a', 1, 3), numbered('b.c', 10, 1), numbered('d', 5, 2)]
    const parcel = join(parts)
    const found: [string, number, number][] = []
    for (let at = 0; at < parcel.length; ) {
      const header = new BatchHeader(parcel, at)
      found.push([header.topic, header.seq, header.count])
      at = header.end
    }
    expect(found).toEqual([
      ['a', 1, 3],
      ['b.c', 10, 1],
      ['d', 5, 2],
    ])
  })

  it('is refused when its header contradicts itself [BROKER 2.3]', () => {
    const good = batchOf({ entries: [{ value: 'one' }, { value: 'two' }] })
    const change = (at: number, ...bytes: number[]) => {
      const bad = good.slice()
      bad.set(bytes, at)
      return bad
    }
    const bad = {
      'of another kind': change(0, 9),
      'without a topic': change(2, 0, 0),
      'with a topic longer than all': change(2, 0xff, 0xff),
      'with a producer id longer than all': change(4, 0xff, 0xff),
      'with a sender longer than all': change(6, 0xff, 0xff),
      'longer than its surroundings': change(8, good.length + 1, 0, 0, 0),
      'shorter than its header': change(8, 20, 0, 0, 0),
      'of no length': change(8, 0, 0, 0, 0),
      'without records': change(12, 0, 0, 0, 0),
      'with more records than can be in it': change(12, 200, 0, 0, 0),
      'with four billion records': change(12, 0xff, 0xff, 0xff, 0xff),
      'cut in its header': good.slice(0, batchHeaderBytes - 1),
      'cut in its records': good.slice(0, -1),
      empty: new Uint8Array(0),
    }
    for (const [name, bytes] of Object.entries(bad)) {
      expect(() => new BatchHeader(bytes), name).toThrow(expect.objectContaining({ code: 'INVALID_BATCH' }))
    }
  })

  it('throws only INVALID_BATCH for a record that is longer than the batch [BROKER 2.5]', () => {
    const bytes = lying(numbered('t', 1, 4), 2)
    const batch = received(bytes)
    expect([batch.next().data, batch.next().data]).toEqual([1, 2])
    expect(() => batch.next()).toThrow(expect.objectContaining({ code: 'INVALID_BATCH' }))
    expect(() => nextRecord(bytes, bytes.length - 2, bytes.length)).toThrow(SignalboxError)
  })

  it('throws nothing but a SignalboxError, whatever the bytes are', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), expectCalm))
  })

  it('throws nothing but a SignalboxError, wherever a good batch is changed or cut', () => {
    const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    const change = fc.tuple(place, fc.integer({ min: 0, max: 255 }))
    fc.assert(
      fc.property(content, fc.array(change, { maxLength: 4 }), fc.option(place), (given, changes, cut) => {
        const bytes = batchOf(given)
        for (const [where, value] of changes) bytes[Math.floor(where * bytes.length)] = value
        expectCalm(cut === null ? bytes : bytes.slice(0, Math.floor(cut * bytes.length)))
      }),
      { numRuns: 500 },
    )
  })
})

describe('a batch without its first records', () => {
  it('has the others, with the numbers that they had', () => {
    fc.assert(
      fc.property(content, fc.nat(), (given, some) => {
        const safe = { ...given, seq: 100, position: 1_000, producerSeq: 10 }
        const skip = some % given.entries.length
        const whole = received(batchOf(safe))
        const rest = received(withoutFirst(new BatchHeader(batchOf(safe)), skip) as Uint8Array)
        whole.skip(skip)
        expect(rest.left).toBe(whole.left)
        while (rest.left > 0) {
          const [a, b] = [rest.next(), whole.next()]
          expect([a.seq, a.position, a.id, a.time, a.epoch]).toEqual([b.seq, b.position, b.id, b.time, b.epoch])
          expect([a.topic, a.sender, a.headers]).toEqual([b.topic, b.sender, b.headers])
          expect(a.payload).toEqual(b.payload)
        }
      }),
    )
  })

  it('leaves the others of its parcel out', () => {
    const parcel = join([numbered('a', 1, 3), numbered('b', 1, 3)])
    const rest = new BatchHeader(withoutFirst(new BatchHeader(parcel), 1) as Uint8Array)
    expect([rest.topic, rest.seq, rest.count, rest.end]).toEqual(['a', 2, 2, rest.bytes.length])
  })

  it('is nothing when the records are not what the header says', () => {
    const header = new BatchHeader(lying(numbered('t', 1, 5), 1))
    expect(withoutFirst(header, 1)).toBeInstanceOf(Uint8Array)
    expect(withoutFirst(header, 2)).toBeUndefined()
    // The first record takes the place of all others.
    const bytes = numbered('t', 1, 5)
    const { recordsAt } = new BatchHeader(bytes)
    bytes[recordsAt] = bytes.length - recordsAt - 5
    expect(withoutFirst(new BatchHeader(bytes), 1)).toBeUndefined()
  })
})
