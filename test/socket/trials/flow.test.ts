/** Flow control from end to end: who does not read stops those who send to it, and nobody else; and nothing is lost. */
import type { Consumer, Provider } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { bytes, House, type Place, text } from '../tools/house.ts'
import { turns, until } from '../tools/until.ts'

const KiB = 1024
const MiB = 1024 * KiB
const frameBytes = 64 * KiB + 16

/** Posts numbered messages one after the other, each as soon as there is credit for it. */
function posting(consumer: Consumer, count: number, size: number): { sent: number; done: Promise<void> } {
  const state = { sent: 0, done: Promise.resolve() }
  state.done = (async () => {
    for (; state.sent < count; state.sent++) {
      const payload = Buffer.alloc(size)
      payload.writeUInt32LE(state.sent)
      await consumer.post(payload)
    }
  })()
  return state
}

/** Resolves when `value` has not changed for a good while. */
async function still(value: () => number): Promise<number> {
  for (;;) {
    const before = value()
    await turns(25)
    if (value() === before) return before
  }
}

/** Takes `count` numbered messages; fails when one is missing or out of its place. */
async function readAll(provider: Provider, count: number): Promise<void> {
  let next = 0
  for await (const { payload } of provider) {
    const number = Buffer.from(payload.buffer, payload.byteOffset, 4).readUInt32LE()
    if (number !== next) throw new Error(`message ${number} came in the place of ${next}`)
    if (++next === count) return
  }
}

describe.each<Place>(['tcp', 'unix', 'in-process'])('a Provider that does not read, over %s,', (place) => {
  it('[SOCK 6] stops its Consumer at a window, while other streams go on, and gets all of it later', async () => {
    await using house = await House.open(place)
    const windowBytes = 256 * KiB
    const { consumer, provider, near, far } = await house.pair({ windowBytes })
    const other = await far.provider(newId())
    other.serve(({ payload }) => payload)
    const bystander = await near.consumer(other.channelId)
    const [count, size] = [20_000, KiB]
    const posted = posting(consumer, count, size)
    await still(() => posted.sent)
    expect(provider.pending * (size + 16)).toBeGreaterThan(60 * KiB)
    expect(provider.pending * (size + 16)).toBeLessThanOrEqual(windowBytes + frameBytes)
    expect(posted.sent).toBeLessThanOrEqual(provider.pending)
    expect(consumer.credit).toBe(0)
    for (let i = 0; i < 50; i++) expect(text(await bystander.send(bytes(String(i))))).toBe(String(i))
    await Promise.all([readAll(provider, count), posted.done])
    expect(provider.pending).toBe(0)
    await consumer.ready()
    expect(consumer.credit).toBeGreaterThan(0)
  })

  it('[SOCK 6.4] is sent a window and no more of large messages too, and of answers', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair({ windowBytes: 64 * KiB })
    const posted = posting(consumer, 40, 300 * KiB)
    await still(() => posted.sent)
    expect(provider.pending).toBeLessThanOrEqual(3)
    await Promise.all([readAll(provider, 40), posted.done])
  })

  it('holds no more than the windows of all its Consumers together', async () => {
    await using house = await House.open(place)
    const { consumer, provider, near } = await house.pair({ windowBytes: 64 * KiB })
    const consumers = [consumer]
    for (let i = 0; i < 9; i++) consumers.push(await near.consumer(provider.channelId))
    const all = consumers.map((each) => posting(each, 200, 4 * KiB))
    await still(() => all.reduce((sum, { sent }) => sum + sent, 0))
    expect(provider.pending).toBeLessThanOrEqual(10 * 17)
    let read = 0
    provider.serve(() => {
      read++
      return undefined
    })
    await Promise.all(all.map(({ done }) => done))
    await until('all have been read', () => read === 2_000)
  })
})

describe('windows', () => {
  it('[SOCK 6.5] grow for a busy stream, within the budget of its link', async () => {
    await using house = await House.open()
    for (const growthBytes of [0, 64 * MiB]) {
      const { consumer, provider } = await house.pair({ growthBytes })
      provider.serve(() => undefined)
      for (let i = 0; i < 3_000; i++) await consumer.post(new Uint8Array(KiB))
      await until('all credit is back', () => consumer.credit > 32 * KiB)
      if (growthBytes === 0) expect(consumer.credit).toBeLessThanOrEqual(64 * KiB)
      else await until('the window has grown', () => consumer.credit > 128 * KiB)
    }
  })

  it('are held by messages that are being handled, until they are done with or released', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair({ windowBytes: 64 * KiB })
    const held: (() => void)[] = []
    let handled = 0
    provider.serve((request) => {
      handled++
      request.hold()
      held.push(() => request.release())
      return undefined
    })
    const posted = posting(consumer, 100, 8 * KiB)
    await still(() => posted.sent)
    expect(handled).toBeLessThanOrEqual(9)
    while (handled < 100) {
      for (const release of held.splice(0)) release()
      await turns(1)
    }
    await posted.done
  })
})

function stackDepth(): number {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = Number.POSITIVE_INFINITY
  const { stack } = new Error('how deep')
  Error.stackTraceLimit = stackTraceLimit
  return (stack ?? '').split('\n').length
}

describe('memory', () => {
  it('stays bounded however much is offered to a Provider that does not read', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair({ maxBufferedBytes: MiB })
    const before = process.memoryUsage().arrayBuffers
    const payload = Buffer.alloc(64 * KiB)
    let refused = 0
    for (let i = 0; i < 4_000; i++) {
      consumer.post(payload).catch(() => refused++)
      if (i % 100 === 0) await turns(1)
    }
    expect(provider.pending).toBeLessThanOrEqual(17)
    expect(refused).toBeGreaterThan(3_800)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MiB)
  })

  it('is not taken by an ever deeper stack when a long backlog gets going in the same process', async () => {
    await using house = await House.open('in-process')
    const { consumer, provider } = await house.pair({ maxBufferedBytes: 512 * MiB, windowBytes: 64 * KiB })
    const held: (() => void)[] = []
    let received = 0
    let isHolding = true
    let deepest = 0
    provider.serve((request) => {
      if (++received % 1_000 === 0) deepest = Math.max(deepest, stackDepth())
      if (!isHolding) return undefined
      request.hold()
      held.push(() => request.release())
      return undefined
    })
    const count = 100_000
    const payload = Buffer.alloc(16)
    for (let i = 0; i < count; i++) void consumer.post(payload)
    await until('all that there is credit for has come', () => received === 2_048)
    isHolding = false
    for (const release of held) release()
    await until('all have come', () => received === count)
    expect(deepest).toBeLessThan(200)
  })
})
