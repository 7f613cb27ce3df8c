/** Answers that nobody takes: their sum is bounded, and one that is cancelled does not go on. */
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { bytes, failure, House, text } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { turns, until } from '../tools/until.ts'

const MiB = 1024 * 1024

describe('a Consumer that takes no answers', () => {
  it('[SOCK 5.8] loses its stream once failures have filled as much room as answers may', async () => {
    await using house = await House.open()
    const channelId = newId()
    const provider = await (await house.link({ maxBufferedBytes: 1_024 })).provider(channelId)
    provider.serve(() => new Uint8Array(60_000))
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'consumer', channelId)
    const { stream } = await peer.next(Kind.ATTACH)
    for (let id = 1; id <= 2_000; id++) peer.send({ kind: Kind.DATA, stream, id })
    const reset = await peer.next(Kind.RESET)
    expect(JSON.parse(text(reset.payload)).code).toBe('BUFFER_FULL')
    await until('the stream is gone', () => provider.consumers === 0)
    const honest = await (await house.link()).consumer(channelId)
    expect((await honest.send(bytes('a'))).length).toBe(60_000)
  })
})

describe('a large answer that is cancelled on its way', () => {
  it('[SOCK 5.6] stops, and the next one does not wait for the rest', async () => {
    await using house = await House.open()
    const channelId = newId()
    const provider = await (await house.link()).provider(channelId)
    provider.serve(() => new Uint8Array(8 * MiB))
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'consumer', channelId)
    const { stream } = await peer.next(Kind.ATTACH)
    peer.send({ kind: Kind.DATA, stream, id: 1 })
    await peer.next(Kind.DATA)
    peer.send({ kind: Kind.CANCEL, stream, id: 1 })
    const told = await peer.next(Kind.CANCEL)
    expect([told.stream, told.id]).toEqual([stream, 1])
    peer.send({ kind: Kind.CREDIT, stream, id: 16 * MiB })
    await turns()
    const bytesOf1 = peer.frames.filter(({ kind, id }) => kind === Kind.DATA && id === 1)
    expect(bytesOf1.length).toBeLessThan(10)
    provider.serve(({ payload }) => payload)
    peer.send({ kind: Kind.DATA, stream, id: 2, payload: Buffer.from('next') })
    await until('the next answer comes', () =>
      peer.frames.some(({ id, payload }) => id === 2 && text(payload) === 'next'),
    )
  })

  it('is over at the Consumer too, whose credit is whole', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair()
    provider.serve(() => new Uint8Array(8 * MiB))
    for (let i = 0; i < 5; i++) {
      const controller = new AbortController()
      const answer = failure(consumer.send(bytes('a'), { signal: controller.signal }))
      await turns(1)
      controller.abort()
      expect(['ABORTED']).toContain((await answer).code)
    }
    provider.serve(() => new Uint8Array(300_000))
    expect((await consumer.send(bytes('b'))).length).toBe(300_000)
  })

  it('that waits for credit is given up as well, and whoever answers is not left waiting', async () => {
    await using house = await House.open()
    const channelId = newId()
    const provider = await (await house.link()).provider(channelId)
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'consumer', channelId)
    const { stream } = await peer.next(Kind.ATTACH)
    for (const id of [1, 2]) peer.send({ kind: Kind.DATA, stream, id })
    const [one, two] = [await provider.receive(), await provider.receive()]
    const answered = [one?.respond(new Uint8Array(200_000)), two?.respond(new Uint8Array(200_000))]
    for (const id of [2, 1]) peer.send({ kind: Kind.CANCEL, stream, id })
    await Promise.all(answered)
  })
})
