/** Messages that carry little take memory all the same: it counts, so that a sum of many has a bound. */
import { expect, it, vi } from 'vitest'
import { Inbox } from '../../../socket/client/answering/inbox.ts'
import { House } from '../tools/house.ts'
import { until } from '../tools/until.ts'

const KiB = 1024

it('empty messages that nobody reads count with what keeping them takes', async () => {
  await using house = await House.open()
  const { consumer, provider, far } = await house.pair()
  const count = 1_000
  for (let i = 0; i < count; i++) await consumer.post(new Uint8Array(0))
  await until('all are there', () => provider.pending === count)
  expect(far.stats().memory.used).toBeGreaterThan(count * 100)
  for (let i = 0; i < count; i++) await provider.receive()
  await consumer.close()
  await until('its stream is over', () => provider.consumers === 0)
  expect(far.stats().memory.used).toBe(0)
})

it('metadata of messages that outlived their stream counts, and passes maxBufferedBytes like payloads', async () => {
  await using house = await House.open()
  const { channelId, provider, near, far } = await house.pair({ maxBufferedBytes: 32 * KiB })
  for (let i = 0; i < 5; i++) {
    const consumer = await near.consumer(channelId)
    await consumer.post(new Uint8Array(0), { metadata: { text: 'a'.repeat(15 * KiB) } })
    await until('it is there', () => provider.pending + provider.droppedMessages > i)
    await consumer.close()
    await until('its stream is over', () => provider.consumers === 1)
  }
  expect(provider.droppedMessages).toBe(3)
  expect(far.stats().memory.used).toBeGreaterThan(30 * KiB)
  await provider.close()
  expect(far.stats().memory.used).toBe(0)
})

it('what waits is not gone through when a Consumer leaves that has nothing there', async () => {
  await using house = await House.open()
  const { channelId, consumer, provider, near } = await house.pair()
  await consumer.post(new Uint8Array(0))
  const idle = await near.consumer(channelId)
  await until('its message waits', () => provider.pending === 1 && provider.consumers === 2)
  const orphan = vi.spyOn(Inbox.prototype, 'orphan')
  await idle.close()
  await until('the idle one has left', () => provider.consumers === 1)
  expect(orphan).not.toHaveBeenCalled()
  await consumer.close()
  await until('the other has left', () => provider.consumers === 0)
  expect(orphan).toHaveBeenCalledOnce()
  orphan.mockRestore()
})
