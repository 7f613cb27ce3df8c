/** Requests, answers and notices on the wire: what is written is read again, and everything else is refused. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeValue } from '../../../broker/shared/codec.ts'
import { decodeGaps, encodeGaps, WireKind } from '../../../broker/shared/gap.ts'
import { type BrokerRequest, decodeRequest, encodeRequest } from '../../../broker/shared/requests.ts'
import { join, jsonValue } from './batches.ts'

const subscribe = {
  op: 'subscribe',
  channel: 'c',
  pattern: 'a.*',
  noEcho: true,
  limitMessages: 5,
  limitBytes: 6,
  maxMessageBytes: 7,
  from: { last: 3 },
  resume: { epoch: 7, position: 9, seen: [['a.b', 4, 8]] },
} as const

const raw = (value: unknown, kind: number = WireKind.REQUEST) => join([new Uint8Array([kind]), encodeValue(value)])

describe('a request [BROKER 3.4]', () => {
  it('is refused unread when it is large: of 16 MiB of empty maps a process would die [BROKER 3.7]', () => {
    const bytes = Buffer.alloc(1024 * 1024, 0x80)
    bytes.set([WireKind.REQUEST, 0xdd])
    bytes.writeUInt32BE(bytes.length - 6, 2)
    expect(() => decodeRequest(bytes)).toThrow(/1048576 bytes; the limit is 524288/)
  })

  it.each([
    [{ op: 'hello', producerId: 'me', features: ['acks'] }],
    [{ op: 'flush' }],
    [{ op: 'watch' }],
    [{ op: 'unsubscribe', channel: 'c', drain: true }],
    [subscribe],
    [{ ...subscribe, from: 'all', resume: null, noEcho: false }],
    [{ ...subscribe, from: { after: { seq: 5, epoch: 6 } } }],
  ] as const)('%j comes back as it was', (request) => {
    const bytes = encodeRequest(request as BrokerRequest)
    expect([bytes[0], decodeRequest(bytes)]).toEqual([2, request])
  })

  it.each([
    [null],
    [7],
    ['flush'],
    [[]],
    [{}],
    [{ op: 'dance' }],
    [{ op: { op: 'hello' } }],
    [{ op: 'x'.repeat(1_000) }],
    [{ op: 'unsubscribe' }],
    [{ ...subscribe, channel: 5 }],
    [{ ...subscribe, pattern: null }],
    [{ ...subscribe, limitMessages: -1 }],
    [{ ...subscribe, limitBytes: 1.5 }],
    [{ ...subscribe, from: 'old' }],
    [{ ...subscribe, from: { seq: 'one' } }],
    [{ ...subscribe, from: null }],
    [{ ...subscribe, from: { after: { seq: 5 } } }],
    [{ ...subscribe, resume: 5 }],
    [{ ...subscribe, resume: {} }],
    [{ ...subscribe, resume: { ...subscribe.resume, epoch: null } }],
    [{ ...subscribe, resume: { ...subscribe.resume, seen: [['a', 'b', 1]] } }],
    [{ ...subscribe, resume: { ...subscribe.resume, seen: [['a', 1]] } }],
    [{ ...subscribe, resume: { ...subscribe.resume, seen: ['a'] } }],
  ])('%j is refused', (value) => {
    expect(() => decodeRequest(raw(value))).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })

  it('is refused in few words, however long what came was', () => {
    expect(() => decodeRequest(raw({ op: 'x'.repeat(100_000) }))).toThrow(/^.{0,300}$/)
  })

  it('of any bytes is a request, INVALID_REQUEST or INVALID_DATA', () => {
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 60 }), jsonValue().map(encodeValue))
    fc.assert(
      fc.property(bytes, (body) => {
        try {
          decodeRequest(join([new Uint8Array([2]), body]))
        } catch (error) {
          expect(['INVALID_REQUEST', 'INVALID_DATA']).toContain((error as { code: string }).code)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('a notice of gaps [BROKER 4.3]', () => {
  it('comes back as it was', () => {
    const gaps = [
      { topic: 'a', first: 1, last: 1, epoch: 3 },
      { topic: 'b/c', first: 5, last: 2 ** 50, epoch: 4 },
    ]
    const bytes = encodeGaps(gaps)
    expect([bytes[0], decodeGaps(bytes)]).toEqual([3, gaps])
  })

  it.each([[7], [['a', 1, 2]], [[[5, 1, 2, 1]]], [[['a', 0.5, 2, 1]]], [[['a', 5, 4, 1]]], [[['a', 1, 2]]], [{}]])(
    '%j is refused',
    (value) => {
      const code = 'INVALID_REQUEST'
      expect(() => decodeGaps(raw(value, WireKind.GAPS))).toThrow(expect.objectContaining({ code }))
    },
  )
})
