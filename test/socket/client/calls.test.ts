/** How a request ends when it is not answered: in time, by its caller, or because there are too many. */
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { bytes, failure, House, type Place, text } from '../tools/house.ts'
import { ManualClock } from '../tools/manual-clock.ts'
import { turns, until } from '../tools/until.ts'

const KiB = 1024
const never = (): Promise<Uint8Array> => new Promise(() => {})

describe.each<Place>(['tcp', 'in-process'])('a request over %s', (place) => {
  it('fails with TIMEOUT when it is not answered in time, and says whether it was sent', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    provider.serve(never)
    const sent = await failure(consumer.send(bytes('a'), { timeoutMs: 30 }))
    expect(sent).toMatchObject({ code: 'TIMEOUT', retryable: true, details: { timeoutMs: 30 } })
    expect(sent.message).toContain('was sent and not answered within 30 ms')
    const alone = await (await house.link()).consumer(newId())
    const unsent = await failure(alone.send(bytes('a'), { timeoutMs: 30 }))
    expect(unsent.code).toBe('TIMEOUT')
    expect(unsent.message).toContain('found no Provider with credit within 30 ms')
    expect([consumer.outstanding, alone.outstanding]).toEqual([0, 0])
  })

  it('fails with ABORTED and the reason when its signal is aborted before or during', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    provider.serve(never)
    const reason = new Error('changed my mind')
    const before = await failure(consumer.send(bytes('a'), { signal: AbortSignal.abort(reason) }))
    expect(before).toMatchObject({ code: 'ABORTED', retryable: false, cause: reason })
    const controller = new AbortController()
    const during = failure(consumer.send(bytes('a'), { signal: controller.signal }))
    await turns()
    controller.abort(reason)
    expect(await during).toMatchObject({ code: 'ABORTED', cause: reason })
    expect(consumer.outstanding).toBe(0)
  })

  it('[SOCK 5.6] is not handed out any more when its caller has given it up', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    const controller = new AbortController()
    const givenUp = Array.from({ length: 5 }, () => failure(consumer.send(bytes('old'), { signal: controller.signal })))
    const wanted = consumer.send(bytes('new'))
    await until('all have come', () => provider.pending === 6)
    controller.abort()
    await Promise.all(givenUp)
    await turns()
    const request = await provider.receive()
    expect(text(request?.payload ?? bytes(''))).toBe('new')
    await request?.respond(bytes('answer'))
    expect(text(await wanted)).toBe('answer')
    expect(provider.pending).toBe(0)
  })

  it('[SOCK 5.6] tells a handler that is at work when its caller has given up', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    const controller = new AbortController()
    const answer = failure(consumer.send(bytes('a'), { signal: controller.signal }))
    const request = await provider.receive()
    expect(request?.isCancelled).toBe(false)
    controller.abort()
    await answer
    await until('the request knows', () => request?.isCancelled)
    await request?.respond(bytes('nobody hears this'))
    provider.serve(({ payload }) => payload)
    expect(text(await consumer.send(bytes('b')))).toBe('b')
  })

  it('fails with TOO_MANY_REQUESTS beyond maxOutstanding, until others are answered', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair({ maxOutstanding: 3 })
    const all = Array.from({ length: 3 }, () => consumer.send(bytes('a')))
    const refused = await failure(consumer.send(bytes('a')))
    expect(refused).toMatchObject({ code: 'TOO_MANY_REQUESTS', retryable: true, details: { limit: 3 } })
    provider.serve(({ payload }) => payload)
    await Promise.all(all)
    expect(text(await consumer.send(bytes('b')))).toBe('b')
  })

  it('fails with NO_PROVIDER at once when it is not to wait for one', async () => {
    await using house = await House.open(place)
    const link = await house.link()
    const channelId = newId()
    const consumer = await link.consumer(channelId, { waitForProvider: false })
    expect(await failure(consumer.send(bytes('a')))).toMatchObject({ code: 'NO_PROVIDER', retryable: true })
    expect((await failure(consumer.post(bytes('a')))).code).toBe('NO_PROVIDER')
    const provider = await link.provider(channelId)
    provider.serve(({ payload }) => payload)
    await until('they are joined', () => consumer.providers === 1)
    expect(text(await consumer.send(bytes('b')))).toBe('b')
    await provider.close()
    await until('they are parted', () => consumer.providers === 0)
    expect((await failure(consumer.send(bytes('a')))).code).toBe('NO_PROVIDER')
  })

  it('that waits for credit fails with NO_PROVIDER when the last Provider leaves and it is not to wait', async () => {
    await using house = await House.open(place)
    const channelId = newId()
    const provider = await (await house.link()).provider(channelId)
    const consumer = await (await house.link()).consumer(channelId, { waitForProvider: false })
    const all = Array.from({ length: 10 }, () =>
      failure(consumer.send(new Uint8Array(20 * KiB), { timeoutMs: 60_000 })),
    )
    await until('the window is full', () => provider.pending > 2)
    await provider.close()
    const codes = (await Promise.all(all)).map(({ code }) => code)
    expect(new Set(codes)).toEqual(new Set(['PROVIDER_CLOSED', 'NO_PROVIDER']))
  })

  it('fails with BUFFER_FULL when more waits for credit than is allowed, and only then', async () => {
    await using house = await House.open(place)
    const channelId = newId()
    const consumer = await (await house.link({ maxBufferedBytes: 100 * KiB })).consumer(channelId)
    const waiting = Array.from({ length: 3 }, () => consumer.send(new Uint8Array(30 * KiB)))
    const posted = consumer.post(new Uint8Array(5 * KiB))
    const full = await failure(consumer.send(new Uint8Array(30 * KiB)))
    expect(full).toMatchObject({ code: 'BUFFER_FULL', retryable: true, details: { limit: 100 * KiB } })
    expect((await failure(consumer.post(new Uint8Array(30 * KiB)))).code).toBe('BUFFER_FULL')
    const provider = await (await house.link()).provider(channelId)
    provider.serve(({ payload }) => payload)
    expect((await Promise.all(waiting)).map(({ length }) => length)).toEqual([30 * KiB, 30 * KiB, 30 * KiB])
    await posted
    expect((await consumer.send(new Uint8Array(30 * KiB))).length).toBe(30 * KiB)
  })

  it('makes room for others when it is given up while it waits', async () => {
    await using house = await House.open(place)
    const consumer = await (await house.link({ maxBufferedBytes: 100 * KiB })).consumer(newId())
    for (let round = 0; round < 3; round++) {
      const waiting = Array.from({ length: 3 }, () => consumer.send(new Uint8Array(30 * KiB), { timeoutMs: 1 }))
      expect((await failure(consumer.send(new Uint8Array(30 * KiB)))).code).toBe('BUFFER_FULL')
      expect((await Promise.all(waiting.map(failure))).map(({ code }) => code)).toEqual([
        'TIMEOUT',
        'TIMEOUT',
        'TIMEOUT',
      ])
    }
  })

  it('[SOCK 5.6] that is given up in the middle of a large payload frees it, the Provider, and what waits behind', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair({ windowBytes: 64 * KiB })
    const filler = consumer.post(new Uint8Array(50 * KiB))
    const controller = new AbortController()
    const large = new Uint8Array(12_000 * KiB).fill(1)
    const givenUp = failure(consumer.send(large, { signal: controller.signal, ordered: true }))
    const behind = consumer.send(bytes('behind'), { ordered: true })
    await filler
    // In turns and not in milliseconds: in each of them no more than 256 KiB of the large one go.
    while (provider.pending === 0) await turn()
    controller.abort()
    expect((await givenUp).code).toBe('ABORTED')
    // From here on the bytes are the caller's again.
    large.fill(2)
    const seen: number[] = []
    provider.serve(({ payload }) => {
      seen.push(payload.length)
      return payload
    })
    expect(text(await behind)).toBe('behind')
    expect(seen).toEqual([50 * KiB, 6])
    expect((await consumer.send(large)).every((byte) => byte === 2)).toBe(true)
  })
})

describe('deadlines', () => {
  it('are kept by one timer however many requests there are, and by none when all is answered', async () => {
    const clock = new ManualClock()
    await using house = await House.open('tcp')
    const { consumer, provider } = await house.pair({ clock, heartbeatMs: Number.POSITIVE_INFINITY })
    const idle = clock.timers
    const all = Array.from({ length: 500 }, (_, i) => consumer.send(bytes(String(i)), { timeoutMs: 1_000 + i }))
    expect(clock.timers).toBe(idle + 1)
    const settled = Promise.allSettled(all)
    clock.advance(900)
    await turns()
    expect(consumer.outstanding).toBe(500)
    clock.advance(350)
    // Of those due by now some may be two ticks late.
    expect(consumer.outstanding).toBeGreaterThanOrEqual(249)
    expect(consumer.outstanding).toBeLessThanOrEqual(269)
    provider.serve(({ payload }) => payload)
    const outcomes = await settled
    expect(outcomes.slice(0, 220).every(({ status }) => status === 'rejected')).toBe(true)
    expect(outcomes.slice(260).every(({ status }) => status === 'fulfilled')).toBe(true)
    expect(clock.timers).toBe(idle)
  })

  it('let a great many requests without a Provider end together', async () => {
    await using house = await House.open('in-process')
    const consumer = await (await house.link()).consumer(newId())
    const all = Array.from({ length: 50_000 }, () => failure(consumer.send(bytes('a'), { timeoutMs: 20 })))
    const codes = new Set((await Promise.all(all)).map(({ code }) => code))
    expect([codes, consumer.outstanding]).toEqual([new Set(['TIMEOUT']), 0])
  })

  it('can be without an end', async () => {
    await using house = await House.open('in-process')
    const { consumer, provider } = await house.pair()
    const answer = consumer.send(bytes('a'), { timeoutMs: Number.POSITIVE_INFINITY })
    await turns()
    provider.serve(({ payload }) => payload)
    expect(text(await answer)).toBe('a')
  })
})
