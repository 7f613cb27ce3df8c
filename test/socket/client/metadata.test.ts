/** What goes with a message beside its payload, and how its handler learns that nobody waits any more. */
import type { Request } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Flag, Kind } from '../../../socket/wire/frame.ts'
import { bytes, failure, House, type Place, text } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'

describe.each<Place>(['tcp', 'in-process'])('metadata over %s', (place) => {
  it.each([0, 10, 65_000, 300_000])(
    '[SOCK 5.9] comes with a payload of %i bytes, by send and by post',
    async (size) => {
      await using house = await House.open(place)
      const { consumer, provider } = await house.pair()
      const metadata = { tenant: 'ä', trace: '00-1' }
      const payload = new Uint8Array(size).fill(7)
      const seen: Request[] = []
      provider.serve((request) => {
        seen.push(request)
        return request.payload
      })
      await consumer.post(payload, { metadata })
      const answer = await consumer.send(payload, { metadata })
      await until('both have come', () => seen.length === 2)
      expect(seen.map((request) => [request.metadata, request.size])).toEqual([
        [metadata, size],
        [metadata, size],
      ])
      expect(Buffer.compare(answer, payload)).toBe(0)
    },
  )
})

describe('metadata', () => {
  it('is one frozen empty object where there is none', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair()
    for (let i = 0; i < 2; i++) await consumer.post(bytes('a'))
    const [one, two] = [await provider.receive(), await provider.receive()]
    expect(one?.metadata).toEqual({})
    expect([one?.metadata === two?.metadata, Object.isFrozen(one?.metadata)]).toEqual([true, true])
  })

  it('that is none, or too much, is refused before anything is sent', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair({ maxMessageBytes: 1_000 })
    for (const metadata of [{ a: 1 }, 'text', { a: 'x'.repeat(16_384) }] as never[]) {
      expect((await failure(consumer.send(bytes('a'), { metadata }))).code).toBe('INVALID_OPTION')
      expect((await failure(consumer.post(bytes('a'), { metadata }))).code).toBe('INVALID_OPTION')
    }
    const metadata = { a: 'x'.repeat(900) }
    expect((await failure(consumer.post(new Uint8Array(200), { metadata }))).code).toBe('MESSAGE_TOO_LARGE')
    expect([provider.pending, consumer.outstanding]).toEqual([0, 0])
  })

  it('[SOCK 5.9] is not sent to an end that does not know of it', async () => {
    await using house = await House.open()
    const channelId = newId()
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'provider', channelId)
    await peer.next(Kind.OPENED)
    const consumer = await (await house.link()).consumer(channelId)
    const metadata = { a: 'b' }
    expect((await failure(consumer.send(bytes('a'), { metadata }))).code).toBe('FEATURE_MISSING')
    expect((await failure(consumer.post(bytes('a'), { metadata }))).code).toBe('FEATURE_MISSING')
    await consumer.post(bytes('plain'))
    expect(text((await peer.next(Kind.DATA)).payload)).toBe('plain')
  })

  it('[SOCK 5.10] is found among types that are skipped', async () => {
    await using house = await House.open()
    const channelId = newId()
    const provider = await (await house.link()).provider(channelId)
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'consumer', channelId)
    const { stream } = await peer.next(Kind.ATTACH)
    const entry = (type: number, value: Buffer): Buffer => Buffer.concat([Buffer.from([type, value.length, 0]), value])
    const entries = [entry(2, Buffer.alloc(4)), entry(9, bytes('?') as Buffer), entry(1, Buffer.from('{"a":"b"}'))]
    const block = Buffer.concat([...entries, entry(3, Buffer.from('00-1'))])
    const payload = Buffer.concat([Buffer.from([block.length, 0]), block, Buffer.from('body')])
    peer.send({ kind: Kind.DATA, flags: Flag.HEADER, stream, payload })
    const request = await provider.receive()
    expect([text(request?.payload ?? bytes('')), request?.metadata]).toEqual(['body', { a: 'b' }])
  })
})

describe('the signal of a request', () => {
  it('is aborted when its Consumer gives up, closes or is lost', async () => {
    await using house = await House.open()
    for (const way of ['give up', 'close', 'lose'] as const) {
      const { consumer, provider, near } = await house.pair()
      const controller = new AbortController()
      const answer = failure(consumer.send(bytes('a'), { signal: controller.signal }))
      const request = (await provider.receive()) as Request
      expect(request.signal.aborted).toBe(false)
      if (way === 'give up') controller.abort()
      else if (way === 'close') await consumer.close()
      else await near.close()
      await answer
      await until('the handler knows', () => request.signal.aborted)
      expect(request.signal.reason).toMatchObject({ code: 'ABORTED' })
      expect(request.isCancelled).toBe(true)
    }
  })

  it('first asked for afterwards is aborted already, and one of an answered request never is', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair()
    const answer = consumer.send(bytes('a'))
    const answered = (await provider.receive()) as Request
    await answered.respond(bytes('b'))
    await answer
    const lost = failure(consumer.send(bytes('c')))
    const request = (await provider.receive()) as Request
    await consumer.close()
    await lost
    await until('it is cancelled', () => request.isCancelled)
    expect([request.signal.aborted, answered.signal.aborted]).toEqual([true, false])
  })
})
