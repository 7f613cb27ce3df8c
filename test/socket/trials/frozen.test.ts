/**
 * A process that is stopped in its tracks: it costs the others nothing, and the server no more than a bounded memory.
 */
import type { Consumer, ServerEvent } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Child } from '../tools/child.ts'
import { bytes, failure, House, text } from '../tools/house.ts'
import { turns, until } from '../tools/until.ts'

const KiB = 1024

/** Fills every window: posts numbered messages on all channels until nothing goes any more. Returns how many went. */
async function fill(consumers: readonly Consumer[], perChannel: number): Promise<() => number> {
  let sent = 0
  for (const consumer of consumers) {
    void (async () => {
      for (let i = 0; i < perChannel; i++) {
        const payload = Buffer.alloc(4 * KiB)
        payload.writeUInt32LE(i)
        await consumer.post(payload)
        sent++
      }
    })().catch(() => {})
  }
  for (let before = -1; before !== sent; await turns(25)) before = sent
  return () => sent
}

describe('a frozen process', () => {
  it('stops nobody else, and gets everything when it goes on', async () => {
    await using house = await House.open('unix')
    const ids = Array.from({ length: 20 }, newId)
    await using child = new Child('counting-provider', house.server.url, ...ids)
    await child.says('ready')
    const { consumer: lively, provider, near } = await house.pair()
    provider.serve(({ payload }) => payload)
    const consumers = await Promise.all(ids.map((id) => near.consumer(id)))
    child.freeze()
    const sent = await fill(consumers, 100)
    expect(sent()).toBeLessThan(20 * 20)
    for (let i = 0; i < 50; i++) expect(text(await lively.send(bytes(String(i))))).toBe(String(i))
    const stuck = await failure((consumers[0] as Consumer).send(bytes('a'), { timeoutMs: 20 }))
    expect(stuck.code).toBe('TIMEOUT')
    child.thaw()
    await until('all has been sent', () => sent() === 2_000)
    await until('all has been counted', async () => {
      child.tell('count')
      await turns(5)
      return child.lines.includes('counted 2000 0 faults')
    })
    expect(house.server.stats()).toMatchObject({ links: 3, streams: 21 })
  })

  it('is cut with SLOW_LINK when more waits for it than maxLinkBufferBytes, and comes back when it goes on', async () => {
    const events: ServerEvent[] = []
    const maxLinkBufferBytes = 512 * KiB
    await using house = await House.open('unix', { maxLinkBufferBytes, observe: (event) => void events.push(event) })
    const ids = Array.from({ length: 40 }, newId)
    await using child = new Child('counting-provider', house.server.url, ...ids)
    await child.says('ready')
    const { consumer: lively, provider } = await house.pair()
    // Trusted, for anybody else would be parted from it before that.
    const local = house.server.link()
    provider.serve(({ payload }) => payload)
    const consumers = await Promise.all(ids.map((id) => local.consumer(id)))
    const answers = consumers.map((consumer) => consumer.send(bytes('a')))
    await Promise.all(answers)
    child.freeze()
    const before = process.memoryUsage().arrayBuffers
    const inFlight = consumers.map((consumer) => failure(consumer.send(bytes('a'), { timeoutMs: 60_000 })))
    await fill(consumers, 16)
    const cut = await until('it is cut', () => events.find(({ type }) => type === 'link-close'))
    expect(cut.code).toBe('SLOW_LINK')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * KiB * KiB)
    expect(new Set((await Promise.all(inFlight)).map(({ code }) => code))).toEqual(new Set(['LINK_LOST']))
    for (let i = 0; i < 50; i++) expect(text(await lively.send(bytes(String(i))))).toBe(String(i))
    expect(house.server.stats()).toMatchObject({ links: 3, streams: 1 })
    child.thaw()
    await until('it has come back', () => consumers.every(({ providers }) => providers === 1))
    for (const consumer of consumers) expect(text(await consumer.send(bytes('b'), { ordered: true }))).toBe('b')
  })

  it('is found by the server after two heartbeats, and not before it could answer', async () => {
    const events: ServerEvent[] = []
    await using house = await House.open('tcp', { heartbeatMs: 600, observe: (event) => void events.push(event) })
    const id = newId()
    await using child = new Child('counting-provider', house.server.url, id)
    await child.says('ready')
    const consumer = await (await house.link({ heartbeatMs: 600 })).consumer(id)
    for (let i = 0; i < 20; i++) {
      await consumer.send(bytes('a'))
      await turns(20)
    }
    expect(events.filter(({ type }) => type === 'link-close')).toEqual([])
    child.freeze()
    const lost = failure(consumer.send(bytes('a'), { timeoutMs: 60_000 }))
    expect((await lost).code).toBe('LINK_LOST')
    expect(events.find(({ type }) => type === 'link-close')).toMatchObject({ code: 'HEARTBEAT_LOST' })
    child.thaw()
    await until('it has come back', () => consumer.providers === 1)
    expect(text(await consumer.send(bytes('again')))).toBe('again')
  })

  it('that is killed leaves nothing behind on the server', async () => {
    await using house = await House.open('tcp')
    const id = newId()
    await using child = new Child('counting-provider', house.server.url, id)
    await child.says('ready')
    const consumer = await (await house.link()).consumer(id)
    const controller = new AbortController()
    expect(text(await consumer.send(bytes('a'), { signal: controller.signal }))).toBe('a')
    child.process.kill('SIGKILL')
    await until('the server knows', () => house.server.stats().links === 1)
    expect(house.server.stats()).toMatchObject({ channels: 1, streams: 0 })
    const successor = await (await house.link()).provider(id)
    successor.serve(({ payload }) => payload)
    expect(text(await consumer.send(bytes('b')))).toBe('b')
  })
})
