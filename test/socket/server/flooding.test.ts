/** Links that do not read for a moment, and others that send them too much meanwhile: who is parted, and who is cut. */
import type { ServerEvent, ServerOptions } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { bytes, failure, House, text } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { turns, until } from '../tools/until.ts'

const MiB = 1024 * 1024

async function scene(options: ServerOptions) {
  const cut: string[] = []
  const observe = ({ type, link, code }: ServerEvent): void => {
    if (type === 'link-close' && code !== undefined) cut.push(`${link.name} ${code}`)
  }
  const house = await House.open('tcp', { observe, ...options })
  const channelId = newId()
  const busy = await RawPeer.welcomed(house.server.url)
  busy.open(1, 'provider', channelId, true)
  await busy.next(Kind.OPENED)
  return { house, channelId, busy, cut }
}

describe('[SOCK 7.4] a Provider that is busy for a moment', () => {
  it.each([
    ['', { maxLinkBufferBytes: 8 * MiB }],
    [', where the memory for others is less than may wait for a link', { maxMemoryBytes: 8 * MiB }],
  ])(
    'is not cut because one link floods it: that one is parted from it, and joined again when it has read%s',
    async (_, options) => {
      const { house, channelId, busy, cut } = await scene(options)
      await using _house = house
      await using _busy = busy
      busy.socket.pause()
      const honest = await (await house.link({ name: 'honest' })).consumer(channelId)
      for (let i = 0; i < 10; i++) void honest.post(new Uint8Array(1_000))
      const evil = await house.link({ name: 'evil' })
      const ends = await Promise.all(Array.from({ length: 300 }, () => evil.consumer(channelId)))
      const posts = ends.flatMap((end) => [end.post(new Uint8Array(64_000)), end.post(new Uint8Array(64_000))])
      void Promise.allSettled(posts)
      await until('its streams are reset', () => ends.every((end) => end.providers === 0))
      expect([cut, honest.providers]).toEqual([[], 1])
      // Who comes meanwhile is not joined, or it would go on like that.
      const late = await evil.consumer(channelId)
      expect(late.providers).toBe(0)
      busy.socket.resume()
      await until('they are joined again', () => [...ends, late].every((end) => end.providers === 1))
      expect(house.server.stats()).toMatchObject({ streams: 302, broken: 0 })
      await until('nothing is held any more', () => house.server.stats().memory.used === 0)
    },
  )

  it('is cut at the whole bound where nobody sends it more than the others do', async () => {
    const { house, channelId, busy, cut } = await scene({ maxLinkBufferBytes: 2 * MiB })
    await using _house = house
    await using _busy = busy
    busy.socket.pause()
    const links = await Promise.all(Array.from({ length: 30 }, () => house.link()))
    const ends = await Promise.all(links.flatMap((link) => [1, 2, 3, 4].map(() => link.consumer(channelId))))
    for (const end of ends) void end.post(new Uint8Array(60_000)).catch(() => {})
    await until('it is cut', () => cut.length > 0)
    expect(cut).toEqual(['raw SLOW_LINK'])
    await until('nothing is held any more', () => house.server.stats().memory.used === 0)
  })
})

describe('a link that is joined with itself', () => {
  it('and goes while much waits for it is not counted any more', async () => {
    const { house, busy, channelId } = await scene({ maxLinkBufferBytes: 64 * MiB })
    await using _house = house
    busy.open(2, 'consumer', channelId, true)
    const { stream } = await until('it is joined', () =>
      busy.frames.find(({ kind, id }) => kind === Kind.ATTACH && id === 2),
    )
    busy.socket.pause()
    await until('much waits', async () => {
      busy.send({ kind: 200, stream, payload: Buffer.alloc(60_000) })
      await turns(1)
      return house.server.stats().memory.used > 0
    })
    busy.socket.destroy()
    await until('it is gone', () => house.server.stats().links === 0)
    expect(house.server.stats().memory.used).toBe(0)
  })
})

describe('what waits for all links together', () => {
  it('has a bound, at which the link with the most is cut, and nobody else', async () => {
    const { house, channelId, busy, cut } = await scene({ maxMemoryBytes: 6 * MiB })
    await using _house = house
    await using _busy = busy
    await using other = await RawPeer.welcomed(house.server.url)
    const small = newId()
    other.open(1, 'provider', small)
    await other.next(Kind.OPENED)
    busy.socket.pause()
    other.socket.pause()
    const link = house.server.link()
    const flood = async (id: string, count: number): Promise<void> => {
      const ends = await Promise.all(Array.from({ length: count }, () => link.consumer(id)))
      // All at once: what is posted after the cut would wait for another Provider, and count here.
      for (const end of [...ends, ...ends]) void end.post(new Uint8Array(64_000)).catch(() => {})
      await turns()
    }
    await flood(small, 50)
    const { used } = house.server.stats().memory
    await flood(channelId, 250)
    await until('one is cut', () => cut.length > 0)
    await turns()
    expect(cut).toEqual(['raw SLOW_LINK'])
    expect(house.server.stats()).toMatchObject({ links: 2, broken: 1, memory: { limit: 6 * MiB } })
    expect(house.server.stats().memory.used).toBeLessThanOrEqual(Math.max(used, 3 * MiB))
    other.socket.resume()
    await until('the other has read', () => house.server.stats().memory.used === 0)
  })
})

describe('[SOCK 4.3] a link that has as many streams as it may', () => {
  it('and waits on a channel does not keep a Provider from it: its own end is closed', async () => {
    await using house = await House.open('tcp', { maxStreamsPerLink: 4 })
    const [channelId, full] = [newId(), newId()]
    const sitting = await house.link()
    const waiting = await sitting.consumer(channelId)
    await (await house.link()).provider(full)
    const ends = await Promise.all([1, 2, 3, 4].map(() => sitting.consumer(full)))
    const provider = await (await house.link()).provider(channelId)
    provider.serve(({ payload }) => payload)
    expect((await failure(waiting.send(bytes('a')))).code).toBe('TOO_MANY_CHANNELS')
    const consumer = await (await house.link()).consumer(channelId)
    expect(text(await consumer.send(bytes('b')))).toBe('b')
    expect([sitting.isOpen, ends.map((end) => end.providers)]).toEqual([true, [1, 1, 1, 1]])
  })

  it('cannot be brought there by one link that waits on its channel with as many Consumers', async () => {
    await using house = await House.open('tcp', { maxStreamsPerLink: 8 })
    const channelId = newId()
    const honest = await (await house.link()).consumer(channelId)
    const crowding = await house.link()
    const crowd = await Promise.all(Array.from({ length: 10 }, () => crowding.consumer(channelId)))
    const waiting = await (await house.link()).consumer(channelId)
    const provider = await (await house.link()).provider(channelId)
    provider.serve(({ payload }) => payload)
    expect(text(await honest.send(bytes('a')))).toBe('a')
    expect(text(await waiting.send(bytes('b')))).toBe('b')
    const closed = await Promise.all(crowd.slice(6).map((end) => end.closed))
    expect(closed.map((error) => (error as { code?: string } | undefined)?.code)).toEqual(
      Array.from({ length: 4 }, () => 'TOO_MANY_CHANNELS'),
    )
    expect([provider.consumers, crowd.slice(0, 6).map((end) => end.providers)]).toEqual([8, [1, 1, 1, 1, 1, 1]])
  })

  it('and finds more Consumers of many links is refused, and closes none of them', async () => {
    await using house = await House.open('tcp', { maxStreamsPerLink: 3 })
    const channelId = newId()
    const links = await Promise.all(Array.from({ length: 4 }, () => house.link()))
    const ends = await Promise.all(links.map((link) => link.consumer(channelId)))
    expect((await failure((await house.link()).provider(channelId))).code).toBe('TOO_MANY_CHANNELS')
    const provider = await house.server.link().provider(channelId)
    await until('all are joined', () => ends.every((end) => end.providers === 1))
    expect(provider.consumers).toBe(4)
  })

  it('and would find more even without the ends of the one that has most is refused, and closes none of them', async () => {
    await using house = await House.open('tcp', { maxStreamsPerLink: 3 })
    const channelId = newId()
    const crowding = await house.link()
    await Promise.all(Array.from({ length: 12 }, () => crowding.consumer(channelId)))
    const links = await Promise.all(Array.from({ length: 5 }, () => house.link()))
    for (const link of links) await link.consumer(channelId)
    expect((await failure((await house.link()).provider(channelId))).code).toBe('TOO_MANY_CHANNELS')
    // What was said to the others before has come.
    await crowding.consumer(newId())
    expect(crowding.stats().ends).toBe(13)
  })

  it('and provides a channel leaves new Consumers to the other Providers', async () => {
    await using house = await House.open('tcp', { maxStreamsPerLink: 2 })
    const channelId = newId()
    const first = await (await house.link()).provider(channelId, { mode: 'shared' })
    const filling = await house.link()
    const own = await (await house.link()).provider(newId(), { mode: 'shared' })
    for (let i = 0; i < 2; i++) await filling.consumer(channelId)
    const refused = await failure((await house.link()).consumer(channelId))
    expect([refused.code, first.consumers, own.consumers]).toEqual(['TOO_MANY_CHANNELS', 2, 0])
    // The link that fills the first has no stream left for the second, so its ends are closed.
    const second = await (await house.link()).provider(channelId, { mode: 'shared' })
    const late = await (await house.link()).consumer(channelId)
    expect([second.consumers, late.providers]).toEqual([1, 2])
  })
})
