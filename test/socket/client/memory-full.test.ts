/** What a link holds for others has a sum: what passes it is refused with a code, and windows do not grow towards it. */
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { MemoryBudget } from '../../../base/memory-budget.ts'
import { GrowthBudget, ReceiveWindow } from '../../../socket/stream/credit.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { bytes, failure, House, text } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'

const KiB = 1024
const MiB = 1024 * KiB

describe('large messages that are never finished', () => {
  it('[SOCK 5.4] are refused with MEMORY_FULL beyond maxMemoryBytes, and the others are served', async () => {
    await using house = await House.open()
    const channelId = newId()
    const provider = await (await house.link({ maxMemoryBytes: MiB })).provider(channelId)
    provider.serve(({ payload }) => payload)
    await using peer = await RawPeer.welcomed(house.server.url)
    const total = Buffer.alloc(4)
    total.writeUInt32LE(4 * MiB)
    const full = Buffer.alloc(64 * KiB)
    const streams: number[] = []
    for (let number = 1; number <= 4; number++) {
      peer.open(number, 'consumer', channelId)
      const { stream } = await until('it is attached', () =>
        peer.frames.find(({ kind, id }) => kind === Kind.ATTACH && id === number),
      )
      streams.push(stream)
      peer.send({ kind: Kind.BEGIN, stream, id: 1, payload: total })
      for (let sent = 1; sent < 64; sent++) {
        const isCredited = (): boolean =>
          peer.frames
            .filter((frame) => frame.kind === Kind.CREDIT && frame.stream === stream)
            .reduce((sum, { id }) => sum + id, 64 * KiB) >
          (sent - 1) * (64 * KiB + 16)
        await until('there is credit', isCredited)
        peer.send({ kind: Kind.DATA, flags: 1, stream, id: 1, payload: full })
      }
    }
    const honest = await (await house.link()).consumer(channelId)
    expect(text(await honest.send(bytes('a')))).toBe('a')
    for (const stream of streams) {
      peer.send({ kind: Kind.DATA, stream, id: 1, payload: full })
      const answer = await until('it is answered', () =>
        peer.frames.find((frame) => frame.kind === Kind.DATA && frame.stream === stream),
      )
      expect(JSON.parse(text(answer.payload))).toMatchObject({ code: 'MEMORY_FULL', retryable: true })
    }
    expect(provider.refusedMessages).toBe(4)
    expect((await honest.send(new Uint8Array(300 * KiB))).length).toBe(300 * KiB)
  })

  it('and requests that would have to wait are refused too, until something is read', async () => {
    await using house = await House.open()
    const channelId = newId()
    const provider = await (await house.link({ maxMemoryBytes: 130 * KiB })).provider(channelId)
    const [one, two] = [await (await house.link()).consumer(channelId), await (await house.link()).consumer(channelId)]
    for (const consumer of [one, two]) await consumer.post(new Uint8Array(60 * KiB))
    await until('both have come', () => provider.pending === 2)
    expect((await failure(two.send(bytes('a')))).code).toBe('MEMORY_FULL')
    provider.serve(({ payload }) => payload)
    expect(text(await two.send(bytes('b')))).toBe('b')
  })
})

describe('a window', () => {
  const initial = 64 * KiB
  const use = (window: ReceiveWindow): void => {
    const { size } = window
    window.received(size, true)
    window.consumed(size, 0, true)
  }

  it('does not grow while memory is tight, and gives back what it has grown by', () => {
    const memory = new MemoryBudget(MiB)
    const window = new ReceiveWindow(initial, MiB, new GrowthBudget(MiB), memory)
    use(window)
    expect(window.size).toBe(2 * initial)
    memory.add(MiB)
    use(window)
    expect(window.size).toBe(initial)
    memory.give(MiB)
    use(window)
    expect([window.size, window.isWhole, memory.used]).toEqual([2 * initial, true, 0])
  })

  it('that has not been too small for long makes room for one that is', () => {
    const budget = new GrowthBudget(initial)
    const memory = new MemoryBudget(Number.POSITIVE_INFINITY)
    const [calm, busy] = [1, 2].map(() => new ReceiveWindow(initial, MiB, budget, memory)) as [
      ReceiveWindow,
      ReceiveWindow,
    ]
    use(calm)
    use(busy)
    expect([calm.size, busy.size]).toEqual([2 * initial, initial])
    for (let i = 0; i < 20; i++) {
      calm.received(initial)
      calm.consumed(initial, 0, true)
    }
    use(busy)
    expect([calm.size, busy.size]).toEqual([initial, 2 * initial])
  })
})

describe('messages of streams that are over', () => {
  it.each([Kind.END, Kind.RESET])('have a bound, also when kind %i has ended them', async (kind) => {
    await using house = await House.open()
    const channelId = newId()
    const provider = await (await house.link({ maxBufferedBytes: 200 * KiB })).provider(channelId)
    await using peer = await RawPeer.welcomed(house.server.url)
    for (let number = 1; number <= 20; number++) {
      peer.open(number, 'consumer', channelId)
      const { stream } = await until('it is attached', () =>
        peer.frames.find((frame) => frame.kind === Kind.ATTACH && frame.id === number),
      )
      peer.send({ kind: Kind.DATA, stream, payload: Buffer.alloc(60 * KiB) })
      peer.send({ kind, stream })
      peer.send({ kind: Kind.SHUT, stream: number })
    }
    await until('all have come and gone', () => provider.pending + provider.droppedMessages === 20)
    await until('they are gone', () => provider.consumers === 0)
    expect([provider.pending, provider.droppedMessages]).toEqual([3, 17])
  })
})
