/** One-way messages that wait have a sum too: first windows of many streams were held however little memory there was. */
import { expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { bytes, House, text } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'

const KiB = 1024

it.each(['in-process', 'tcp'] as const)(
  '[SOCK 5.4] those of one link take no more than maxMemoryBytes, and leave room for others, %s',
  async (place) => {
    await using house = await House.open(place)
    const channelId = newId()
    const link = await house.link({ maxMemoryBytes: 1024 * KiB })
    const provider = await link.provider(channelId)
    await using greedy = await RawPeer.welcomed(house.server.url)
    const count = 60
    for (let number = 1; number <= count; number++) greedy.open(number, 'consumer', channelId)
    const attached = await until('all are joined', () => {
      const frames = greedy.frames.filter(({ kind }) => kind === Kind.ATTACH)
      return frames.length === count ? frames : undefined
    })
    for (const { stream } of attached) {
      greedy.send({ kind: Kind.DATA, stream, payload: Buffer.alloc(65_000) })
      greedy.send({ kind: Kind.DATA, stream, payload: Buffer.alloc(64 * KiB) })
    }
    await until('all have come', () => provider.pending + provider.refusedMessages === 2 * count)
    const { used, limit } = link.stats().memory
    expect(used).toBeLessThan(limit)
    expect(provider.pending).toBeGreaterThan(5)
    // What is refused costs nobody its credit.
    const { stream } = attached[count - 1] as { stream: number }
    await until('credit came back', () =>
      greedy.frames.some((frame) => frame.kind === Kind.CREDIT && frame.stream === stream),
    )

    const honest = await (await house.link()).consumer(channelId)
    const waiting = provider.pending
    await honest.post(bytes('posted'))
    const answer = honest.send(bytes('asked'))
    await until('both wait', () => provider.pending === waiting + 2)
    for (let left = waiting; left > 0; left--) await provider.receive()
    expect(text((await provider.receive())?.payload ?? bytes('none'))).toBe('posted')
    provider.serve(({ payload }) => payload)
    expect(text(await answer)).toBe('asked')
    await greedy[Symbol.asyncDispose]()
    await honest.close()
    await until('all have gone', () => provider.consumers === 0)
    await until('all is given back', () => link.stats().memory.used === 0)
  },
)
