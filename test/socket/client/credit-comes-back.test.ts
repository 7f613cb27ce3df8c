/** Credit that was lost: of requests given up, of messages that are held, and of windows that had no need to grow. */
import type { Request } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { bytes, failure, House, text } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'

const KiB = 1024

describe('the credit of requests that were given up', () => {
  it('comes back although another Consumer closes while they wait', async () => {
    await using house = await House.open()
    const { channelId, consumer, provider } = await house.pair()
    const other = await (await house.link()).consumer(channelId)
    const given = Array.from({ length: 6 }, () => failure(consumer.send(new Uint8Array(10 * KiB), { timeoutMs: 30 })))
    for (const each of given) expect((await each).code).toBe('TIMEOUT')
    await until('nothing waits for anybody', () => provider.pending === 0)
    await other.close()
    await until('it has left', () => provider.consumers === 1)
    provider.serve(({ payload }) => payload)
    for (let i = 0; i < 20; i++) {
      const answer = await consumer.send(new Uint8Array(10 * KiB))
      expect(answer.length).toBe(10 * KiB)
    }
  })

  it('comes back while the Provider reads nothing at all', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair()
    for (let i = 0; i < 20; i++) {
      expect((await failure(consumer.send(new Uint8Array(30 * KiB), { timeoutMs: 20 }))).code).toBe('TIMEOUT')
    }
    await until('nothing waits', () => provider.pending === 0)
    await until('there is credit', () => consumer.credit > 0)
  })
})

describe('the credit of a message that was pulled', () => {
  it('[SOCK 6.3] goes back when the next one is asked for, and not when it was given', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair({ windowBytes: 64 * KiB })
    for (let i = 0; i < 2; i++) await consumer.post(new Uint8Array(40 * KiB))
    const first = await provider.receive()
    expect([first?.size, consumer.credit]).toEqual([40 * KiB, 0])
    await provider.receive()
    await until('the first one is paid back', () => consumer.credit > 0)
  })

  it('goes back when the loop ends', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair({ windowBytes: 64 * KiB })
    for (let i = 0; i < 2; i++) await consumer.post(new Uint8Array(40 * KiB))
    let count = 0
    for await (const request of provider) if (request.size > 0 && ++count === 2) break
    await until('both are paid back', () => consumer.credit > 30 * KiB)
  })

  it('stays while it is held', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair({ windowBytes: 64 * KiB })
    const held: Request[] = []
    void (async () => {
      for await (const request of provider) {
        request.hold()
        held.push(request)
      }
    })()
    let posted = 0
    void (async () => {
      for (; posted < 20; posted++) await consumer.post(new Uint8Array(16 * KiB)).catch(() => {})
    })()
    await until('the window is full of held ones', () => held.length === 4 && consumer.credit === 0)
    expect(posted).toBe(4)
    for (const request of held.splice(0)) request.release()
    await until('the next ones come', () => held.length === 4)
  })
})

describe('a window', () => {
  it('[SOCK 6.5] does not grow for a peer that only says that it is starved', async () => {
    await using house = await House.open()
    const channelId = newId()
    const provider = await (await house.link()).provider(channelId)
    provider.serve(() => undefined)
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'consumer', channelId)
    const { stream } = await peer.next(Kind.ATTACH)
    peer.send({ kind: Kind.DATA, flags: 8, stream, payload: Buffer.alloc(1) })
    peer.send({ kind: Kind.DATA, stream, id: 1 })
    await peer.next(Kind.DATA)
    expect(peer.frames.filter(({ kind }) => kind === Kind.CREDIT)).toEqual([])
  })

  it('[SOCK 6.6] of more than a gigabyte is not believed in: the stream ends, and the link does not', async () => {
    await using house = await House.open()
    const channelId = newId()
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'provider', channelId)
    await peer.next(Kind.OPENED)
    const link = await house.link()
    const consumer = await link.consumer(channelId)
    const { stream } = await peer.next(Kind.ATTACH)
    peer.send({ kind: Kind.CREDIT, stream, id: 1_000_000_000 })
    await until('it has come', () => consumer.credit > 1_000_000_000)
    peer.send({ kind: Kind.CREDIT, stream, id: 100_000_000 })
    const reset = await peer.next(Kind.RESET)
    expect(JSON.parse(text(reset.payload)).code).toBe('FLOW_VIOLATION')
    expect([consumer.providers, link.isOpen]).toEqual([0, true])
    expect((await failure(consumer.send(bytes('a'), { timeoutMs: 10 }))).code).toBe('TIMEOUT')
  })
})
