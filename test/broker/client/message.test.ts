/** A message: every field is read from its batch when it is touched, and not before. */
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { ReceivedBatch, type ReceivedParcel } from '../../../broker/client/received-batch.ts'
import { BatchHeader, batchHeaderBytes } from '../../../broker/shared/batch.ts'
import { type BatchContent, batchOf, numbered } from '../shared/batches.ts'

const parcelWith = (release: () => void) => ({ batches: 0, release, compact: () => new Uint8Array(0) })

function receivedOf(bytes: Uint8Array, parcel: ReceivedParcel = parcelWith(() => {})): ReceivedBatch {
  const header = new BatchHeader(bytes)
  return new ReceivedBatch(header, header.topic, parcel)
}

const received = (content: BatchContent) => receivedOf(batchOf(content))

describe('a message', () => {
  it('has the numbers of its batch plus its place in it [BROKER 2.1]', () => {
    const batch = received({
      ...{ topic: 'a.b', producerId: 'me', sender: 'name', producerSeq: 40 },
      ...{ epoch: 9, seq: 5, position: 70, time: 1_234 },
      entries: [{ value: 'x' }, { value: 'y' }],
    })
    batch.next()
    const { topic, seq, position, epoch, time, id, sender, data } = batch.next()
    expect({ topic, seq, position, epoch, time, id, sender, data }).toEqual({
      ...{ topic: 'a.b', seq: 6, position: 71, epoch: 9, time: 1_234 },
      ...{ id: 'me:41', sender: 'name', data: 'y' },
    })
  })

  it('has the id, headers, correlationId and replyTo that its publisher gave [BROKER 2.6]', () => {
    const attributes = { id: 'mine', headers: { a: '1' }, correlationId: 'c', replyTo: 'r.t' }
    const message = received({ entries: [{ value: 1, attributes }] }).next()
    const { id, headers, correlationId, replyTo } = message
    expect({ id, headers, correlationId, replyTo }).toEqual(attributes)
  })

  it('has empty headers, and nothing else, where its publisher gave nothing', () => {
    const message = received({ entries: [{ value: 1 }] }).next()
    expect([message.headers, message.correlationId, message.replyTo]).toEqual([{}, undefined, undefined])
  })

  it('has as payload the bytes that travelled, and as data the value [BROKER 2.7]', () => {
    const batch = received({ entries: [{ value: new Uint8Array([1, 2]) }, { value: [1, 2] }, { value: '' }] })
    const [raw, list, empty] = [batch.next(), batch.next(), batch.next()]
    expect([raw.payload, raw.data]).toEqual([new Uint8Array([1, 2]), new Uint8Array([1, 2])])
    expect([list.payload, list.data]).toEqual([new Uint8Array([0x92, 1, 2]), [1, 2]])
    expect([empty.payload, empty.data]).toEqual([new Uint8Array([0xa0]), ''])
  })

  it('gives the same data object every time', () => {
    const message = received({ entries: [{ value: { a: 1 } }] }).next()
    expect(message.data).toBe(message.data)
  })

  it('throws INVALID_DATA for a payload that is no msgpack, and keeps its other fields', () => {
    const bytes = batchOf({ entries: [{ value: 'word' }] })
    bytes[bytes.length - 5] = 0xdd
    const message = receivedOf(bytes).next()
    expect(() => message.data).toThrow(expect.objectContaining({ code: 'INVALID_DATA' }))
    expect([message.seq, message.payload.length]).toEqual([1, 5])
  })

  it.each([
    ['no msgpack', new Uint8Array([0xc1])],
    ['no map', 'text'],
    ['an id that is no text', { id: { toString: 'x' } }],
    ['headers that are no object', { headers: 7 }],
    ['headers with numbers', { headers: { a: 1 } }],
  ])('throws INVALID_DATA for attributes that are %s', (_name, attributes) => {
    const bytes = batchOf({ entries: [{ value: 1, attributes: attributes as object }] })
    if (attributes instanceof Uint8Array) bytes[bytes.length - 4] = 0xc1
    const message = receivedOf(bytes).next()
    for (const read of [() => message.id, () => message.headers, () => message.replyTo]) {
      expect(read).toThrow(expect.objectContaining({ code: 'INVALID_DATA' }))
    }
    expect(message.data).toBe(1)
  })

  it('shows what is in it when it is printed', () => {
    const message = received({ topic: 'a.b', entries: [{ value: { n: 5 } }] }).next()
    expect(inspect(message)).toContain("topic: 'a.b'")
    expect(inspect(message)).toContain('n: 5')
    expect(JSON.parse(JSON.stringify(message))).toMatchObject({ topic: 'a.b', seq: 1, data: { n: 5 } })
  })
})

describe('a received batch', () => {
  it('counts what is left, from either end', () => {
    const batch = receivedOf(numbered('t', 10, 6))
    batch.next()
    batch.skip(2)
    batch.cut(1)
    expect([batch.left, batch.nextSeq, batch.next().data]).toEqual([2, 13, 13])
  })

  it('gives the credit of its parcel back when the last batch of the parcel is done', () => {
    let released = 0
    const parcel = parcelWith(() => released++)
    const [one, two] = [receivedOf(numbered('a', 1, 1), parcel), receivedOf(numbered('b', 1, 1), parcel)]
    one.release()
    expect(released).toBe(0)
    two.release()
    expect(released).toBe(1)
  })

  it('reads nothing of its records before it is asked', () => {
    const bytes = numbered('t', 1, 3)
    bytes.fill(0xff, batchHeaderBytes + 3)
    expect(receivedOf(bytes).left).toBe(3)
  })
})
