/** What the other end of a stream may not send: it loses that stream, and nobody else anything. */
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Flag, Kind } from '../../../socket/wire/frame.ts'
import { bytes, failure, House, text } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { turns, until } from '../tools/until.ts'

const codeOf = (payload: Buffer): string => JSON.parse(payload.toString()).code

describe('a Consumer that sends a second request of an id that is not answered', () => {
  it('[SOCK 5.1] has its stream reset, and what was taken from it does not hold up the others', async () => {
    await using house = await House.open()
    const channelId = newId()
    const provider = await (await house.link()).provider(channelId)
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'consumer', channelId)
    const { stream } = await peer.next(Kind.ATTACH)
    for (const word of ['x', 'y']) peer.send({ kind: Kind.DATA, stream, id: 5, payload: Buffer.from(word) })
    expect(codeOf((await peer.next(Kind.RESET)).payload)).toBe('BAD_FRAME')
    const honest = await (await house.link()).consumer(channelId)
    void (async () => {
      for await (const request of provider) await request.respond(request.payload)
    })()
    expect(text(await honest.send(bytes('ok')))).toBe('ok')
  })

  it('and resets the stream at once leaves nobody who waits to answer', async () => {
    await using house = await House.open()
    const channelId = newId()
    const provider = await (await house.link()).provider(channelId)
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'consumer', channelId)
    const { stream } = await peer.next(Kind.ATTACH)
    peer.send({ kind: Kind.DATA, stream, id: 5 })
    const request = await provider.receive()
    peer.send({ kind: Kind.RESET, stream })
    await until('it is gone', () => provider.consumers === 0)
    await request?.respond(new Uint8Array(200_000))
    expect(request?.isCancelled).toBe(true)
  })
})

describe('an answer', () => {
  it('[SOCK 5.1] counts only from the Provider that was asked', async () => {
    await using house = await House.open()
    const channelId = newId()
    const provider = await (await house.link()).provider(channelId, { mode: 'shared' })
    const consumer = await (await house.link()).consumer(channelId)
    const answer = consumer.send(bytes('q'))
    const request = await provider.receive()
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'provider', channelId, true)
    const { stream } = await peer.next(Kind.ATTACH)
    peer.send({ kind: Kind.DATA, flags: Flag.REPLY, stream, id: 1, payload: Buffer.from('forged') })
    await turns()
    await request?.respond(bytes('true'))
    expect(text(await answer)).toBe('true')
  })

  it("to a request that has not been sent is nobody's", async () => {
    await using house = await House.open()
    const channelId = newId()
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'provider', channelId)
    await peer.next(Kind.OPENED)
    const consumer = await (await house.link()).consumer(channelId)
    const { stream } = await peer.next(Kind.ATTACH)
    await consumer.post(new Uint8Array(60_000))
    await consumer.post(new Uint8Array(60_000))
    const waiting = failure(consumer.send(bytes('a'), { timeoutMs: 200 }))
    peer.send({ kind: Kind.DATA, flags: Flag.REPLY, stream, id: 1, payload: Buffer.from('early') })
    expect((await waiting).code).toBe('TIMEOUT')
  })

  it.each([0, Flag.FAIL])('[SOCK 5.1] without REPLY, flags %i, has the stream reset with BAD_FRAME', async (flags) => {
    await using house = await House.open()
    const channelId = newId()
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'provider', channelId)
    await peer.next(Kind.OPENED)
    const consumer = await (await house.link()).consumer(channelId)
    const { stream } = await peer.next(Kind.ATTACH)
    const answer = failure(consumer.send(bytes('a')))
    peer.send({ kind: Kind.DATA, flags, stream, id: 1, payload: Buffer.from('b') })
    expect((await answer).code).toBe('BAD_FRAME')
    expect(codeOf((await peer.next(Kind.RESET)).payload)).toBe('BAD_FRAME')
  })
})

describe('a Consumer', () => {
  const cases: [string, { kind: number; flags?: number; payload?: Buffer }][] = [
    ['an answer', { kind: Kind.DATA, flags: Flag.REPLY }],
    ['a failure', { kind: Kind.DATA, flags: Flag.FAIL }],
    ['a flag that is not known', { kind: Kind.DATA, flags: 32 }],
    ['a flag where there are none', { kind: Kind.END, flags: 1 }],
    ['a kind that it must know', { kind: 99 }],
    ['a header block that does not fit', { kind: Kind.DATA, flags: Flag.HEADER, payload: Buffer.from([9, 0, 1]) }],
  ]

  it.each(cases)('[SOCK 5.8] that sends %s has its stream reset, and keeps its link', async (_what, frame) => {
    await using house = await House.open()
    const channelId = newId()
    const provider = await (await house.link()).provider(channelId)
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'consumer', channelId)
    const { stream } = await peer.next(Kind.ATTACH)
    peer.send({ ...frame, stream })
    expect(codeOf((await peer.next(Kind.RESET)).payload)).toBe('BAD_FRAME')
    expect([provider.consumers, provider.pending]).toEqual([0, 0])
    peer.send({ kind: Kind.PING })
    await peer.next(Kind.PONG)
  })

  it('[SOCK 2.5] may send kinds from 128 up, which are ignored by an end that does not know them', async () => {
    await using house = await House.open()
    const channelId = newId()
    const provider = await (await house.link()).provider(channelId)
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'consumer', channelId)
    const { stream } = await peer.next(Kind.ATTACH)
    peer.send({ kind: 200, flags: 77, stream, payload: Buffer.from('new') })
    peer.send({ kind: Kind.DATA, stream, payload: Buffer.from('old') })
    expect(text((await provider.receive())?.payload ?? bytes(''))).toBe('old')
  })
})
