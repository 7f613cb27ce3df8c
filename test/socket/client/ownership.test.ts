/** Whose the bytes are: once a promise has resolved they were copied, or they are out. */
import { describe, expect, it } from 'vitest'
import { bytes, failure, House, type Place } from '../tools/house.ts'
import { until } from '../tools/until.ts'

const sizes = [100, 16_384, 65_536, 200_000]

describe.each<Place>(['tcp', 'in-process'])('over %s one buffer for every message', (place) => {
  it.each(sizes)('of %i bytes can be posted', async (size) => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    const got: number[][] = []
    provider.serve(({ payload }) => {
      got.push([payload.at(0) ?? -1, payload.at(-1) ?? -1])
      return undefined
    })
    const buffer = new Uint8Array(size)
    for (let i = 1; i <= 5; i++) await consumer.post(buffer.fill(i))
    buffer.fill(99)
    await until('all have come', () => got.length === 5)
    expect(got).toEqual([1, 2, 3, 4, 5].map((each) => [each, each]))
  })

  it.each(sizes)('of %i bytes can be answered with, by respond and by what a handler returns', async (size) => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    const buffer = new Uint8Array(size)
    let count = 0
    provider.serve(
      async (request) => {
        buffer.fill(++count)
        if (count % 2 === 0) return buffer
        await request.respond(buffer)
        return undefined
      },
      { concurrency: 1 },
    )
    const answers = await Promise.all(Array.from({ length: 6 }, () => consumer.send(bytes('a'))))
    buffer.fill(99)
    expect(answers.map((answer) => [answer.at(0), answer.at(-1)])).toEqual(
      [1, 2, 3, 4, 5, 6].map((each) => [each, each]),
    )
  })

  it('can be used again when a request was given up', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    const buffer = new Uint8Array(60_000).fill(1)
    const controller = new AbortController()
    const given = failure(consumer.send(buffer, { signal: controller.signal }))
    controller.abort()
    expect((await given).code).toBe('ABORTED')
    buffer.fill(2)
    await consumer.post(buffer.fill(3))
    let request = await provider.receive()
    if (request?.isOneWay === false) {
      expect(request.payload.every((byte) => byte === 1)).toBe(true)
      request = await provider.receive()
    }
    expect(request?.payload.every((byte) => byte === 3)).toBe(true)
  })
})

describe('bytes that are given away', () => {
  it('are not copied in the same process', async () => {
    await using house = await House.open('in-process')
    const { consumer, provider } = await house.pair()
    const [posted, tried, sent, answer] = [1, 2, 3, 4].map((each) => new Uint8Array(1_000).fill(each)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ]
    const got: ArrayBufferLike[] = []
    provider.serve((request) => {
      got.push(request.payload.buffer)
      void request.respond(answer, { transfer: true })
      return undefined
    })
    await consumer.post(posted, { transfer: true })
    expect(consumer.tryPost(tried, { transfer: true })).toBe(true)
    const reply = await consumer.send(sent, { transfer: true })
    expect(got.map((buffer, i) => buffer === [posted, tried, sent][i]?.buffer)).toEqual([true, true, true])
    expect(reply.buffer).toBe(answer.buffer)
  })
})
