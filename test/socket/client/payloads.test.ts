/** Payloads of every size, byte for byte, and what becomes of one that is too large. */
import { createHash } from 'node:crypto'
import type { Request } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { bytes, failure, House, type Place, text } from '../tools/house.ts'
import { turns, until } from '../tools/until.ts'

const KiB = 1024
const MiB = 1024 * KiB

/** Bytes that differ at every place where a payload may be cut. */
function pattern(size: number): Uint8Array {
  const payload = new Uint8Array(size)
  for (let at = 0, value = size; at < size; at++) {
    value = (Math.imul(value, 1_664_525) + 1_013_904_223) | 0
    payload[at] = value >>> 24
  }
  return payload
}

const digest = (payload: Uint8Array): string => createHash('sha1').update(payload).digest('hex')

const around = (size: number): number[] => [size - 17, size - 16, size - 1, size, size + 1]
const sizes = [0, 1, 15, 16, 17, ...around(8 * KiB), ...around(32 * KiB), ...around(64 * KiB), ...around(128 * KiB)]

describe.each<Place>(['tcp', 'unix', 'in-process'])('payloads over %s', (place) => {
  it('[SOCK 5.3] of every size arrive byte for byte, there and back', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    provider.serve(({ payload }) => payload)
    for (const size of [...sizes, 192 * KiB + 5, MiB - 1, MiB, MiB + 1]) {
      const payload = pattern(size)
      expect([size, digest(await consumer.send(payload))]).toEqual([size, digest(payload)])
    }
  })

  it('[SOCK 5.3] as large as maxMessageBytes arrive byte for byte, and several at once', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair({ maxBufferedBytes: 64 * MiB })
    provider.serve(({ payload }) => payload)
    const payloads = [pattern(16 * MiB), pattern(3 * MiB), pattern(16 * MiB - 1), pattern(100 * KiB)]
    const answers = await Promise.all(payloads.map((payload) => consumer.send(payload, { timeoutMs: 60_000 })))
    expect(answers.map(digest)).toEqual(payloads.map(digest))
  })

  it('[SOCK 5.3] sent one way arrive in order, the large among the small', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    const received: string[] = []
    provider.serve(({ payload }) => {
      received.push(digest(payload))
      return undefined
    })
    const payloads = Array.from({ length: 60 }, (_, i) => pattern(i % 7 === 0 ? 100 * KiB + i : i * 37))
    for (const payload of payloads) void consumer.post(payload)
    await until('all have come', () => received.length === payloads.length)
    expect(received).toEqual(payloads.map(digest))
  })

  it('fail with MESSAGE_TOO_LARGE at once when they are larger than the sender may send', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair({ maxMessageBytes: 100 * KiB })
    provider.serve(({ payload }) => new Uint8Array(payload.length === 1 ? 100 * KiB + 1 : payload.length))
    const tooLarge = await failure(consumer.send(new Uint8Array(100 * KiB + 1)))
    expect(tooLarge).toMatchObject({ code: 'MESSAGE_TOO_LARGE', retryable: false })
    expect(tooLarge).toMatchObject({ details: { limit: 100 * KiB, actual: 100 * KiB + 1 } })
    expect((await failure(consumer.post(new Uint8Array(100 * KiB + 1)))).code).toBe('MESSAGE_TOO_LARGE')
    expect(await failure(consumer.send(new Uint8Array(1)))).toMatchObject({
      name: 'RemoteError',
      code: 'MESSAGE_TOO_LARGE',
    })
    expect((await consumer.send(new Uint8Array(100 * KiB))).length).toBe(100 * KiB)
  })

  it('[SOCK 5.4] fail with MESSAGE_TOO_LARGE when they are larger than the receiver takes, and nothing else is harmed', async () => {
    await using house = await House.open(place)
    const channelId = newId()
    const far = await house.link({ maxMessageBytes: 1_000 })
    const near = await house.link()
    const provider = await far.provider(channelId)
    const other = await far.provider(newId())
    const consumer = await near.consumer(channelId)
    const bystander = await near.consumer(other.channelId)
    provider.serve(({ payload }) => payload)
    other.serve(({ payload }) => payload)
    for (const size of [1_001, 64 * KiB, 64 * KiB + 1, MiB]) {
      const [refusal, same, next] = await Promise.all([
        failure(consumer.send(pattern(size))),
        consumer.send(bytes('same channel')),
        bystander.send(bytes('other channel')),
      ])
      expect(refusal).toMatchObject({ name: 'RemoteError', code: 'MESSAGE_TOO_LARGE', retryable: false })
      expect(refusal.message).toContain(`A payload of ${size} bytes came; the limit here is 1000.`)
      expect([text(same), text(next)]).toEqual(['same channel', 'other channel'])
    }
    await consumer.post(pattern(MiB))
    await until('it is counted', () => provider.refusedMessages === 5)
    expect((await consumer.send(pattern(1_000))).length).toBe(1_000)
  })

  it('[SOCK 5.4] fail with MESSAGE_TOO_LARGE when an answer is larger than the caller takes', async () => {
    await using house = await House.open(place)
    const channelId = newId()
    const provider = await (await house.link()).provider(channelId)
    const consumer = await (await house.link({ maxMessageBytes: 1_000 })).consumer(channelId)
    provider.serve(({ payload }) => pattern(Number(text(payload))))
    for (const size of [1_001, 64 * KiB + 1, MiB]) {
      expect((await failure(consumer.send(bytes(String(size))))).code).toBe('MESSAGE_TOO_LARGE')
    }
    expect((await consumer.send(bytes('1000'))).length).toBe(1_000)
  })
})

describe.each<Place>(['tcp', 'in-process'])('a small message over %s', (place) => {
  it('overtakes a large one on the same Consumer, and on another of the same link', async () => {
    await using house = await House.open(place)
    const { consumer, provider, near, far } = await house.pair()
    const other = await far.provider(newId())
    const bystander = await near.consumer(other.channelId)
    const order: string[] = []
    const note = ({ payload }: { payload: Uint8Array }): Uint8Array => {
      order.push(payload.length > 100 ? 'large' : text(payload))
      return payload
    }
    provider.serve(note)
    other.serve(note)
    const large = [consumer.send(pattern(8 * MiB)), consumer.send(pattern(8 * MiB))]
    await Promise.all([...large, consumer.send(bytes('same')), bystander.send(bytes('other'))])
    expect(order.slice(0, 2).sort()).toEqual(['other', 'same'])
    expect(order.slice(2)).toEqual(['large', 'large'])
  })

  it('keeps its place behind a large one when it is ordered, or one way', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    const order: string[] = []
    provider.serve(({ payload }) => {
      order.push(payload.length > 100 ? 'large' : text(payload))
      return payload
    })
    const first = consumer.send(pattern(4 * MiB), { ordered: true })
    const posted = consumer.post(bytes('posted'))
    const second = consumer.send(bytes('ordered'), { ordered: true })
    const loose = consumer.send(bytes('loose'))
    await Promise.all([first, posted, second, loose])
    expect(order).toEqual(['loose', 'large', 'posted', 'ordered'])
  })

  it('is answered while a large answer is on its way', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    provider.serve(({ payload }) => (text(payload) === 'large' ? pattern(8 * MiB) : payload))
    const order: string[] = []
    const ask = async (what: string): Promise<void> => {
      await consumer.send(bytes(what))
      order.push(what)
    }
    await Promise.all([ask('large'), ask('small')])
    expect(order).toEqual(['small', 'large'])
  })
})

describe('answers that wait', () => {
  it('beyond maxBufferedBytes are replaced by BUFFER_FULL, for the caller and for the Provider', async () => {
    await using house = await House.open()
    const channelId = newId()
    const provider = await (await house.link({ maxBufferedBytes: MiB })).provider(channelId)
    const consumer = await (await house.link()).consumer(channelId)
    const outcomes = Promise.allSettled(Array.from({ length: 20 }, () => consumer.send(bytes('a'))))
    await until('all have come', () => provider.pending === 20)
    const requests: Request[] = []
    for await (const request of provider) if (requests.push(request) === 20) break
    const responses = await Promise.allSettled(requests.map((request) => request.respond(new Uint8Array(300 * KiB))))
    const told = responses.filter(({ status }) => status === 'rejected').length
    const codes = (await outcomes).flatMap((each) => (each.status === 'rejected' ? [each.reason.code] : []))
    expect(told).toBeGreaterThan(10)
    expect(codes).toEqual(Array(told).fill('BUFFER_FULL'))
    provider.serve(({ payload }) => payload)
    expect(text(await consumer.send(bytes('b')))).toBe('b')
  })
})

describe('the bytes of a payload', () => {
  it('are those at the time of the call, when a small one is sent over a socket', async () => {
    await using house = await House.open('tcp')
    const { consumer, provider } = await house.pair()
    const buffer = Buffer.alloc(1_000, 1)
    void consumer.post(buffer)
    buffer.fill(2)
    const request = await provider.receive()
    expect(request?.payload.every((byte) => byte === 1)).toBe(true)
    await turns(1)
  })
})
