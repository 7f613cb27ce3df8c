/** `receive()` that is given up, or asked for several times at once, loses neither a message nor its credit. */
import { expect, it } from 'vitest'
import { bytes, failure, House, text } from '../tools/house.ts'
import { until } from '../tools/until.ts'

const KiB = 1024

it('a message that comes while a receive is being given up goes to the next one', async () => {
  await using house = await House.open('in-process')
  const { consumer, provider, far, channelId } = await house.pair()
  // On the same link, so that its message is handed over right before the other.
  const second = await far.provider(channelId.replace(/^./, (digit) => (digit === 'a' ? 'b' : 'a')))
  const near = await house.link()
  const first = await near.consumer(second.channelId)
  const other = await near.consumer(provider.channelId)
  await until('all are joined', () => first.providers + other.providers + consumer.providers === 3)
  const controller = new AbortController()
  second.serve(() => {
    controller.abort()
    return undefined
  })
  const given = failure(provider.receive({ signal: controller.signal }))
  await first.post(bytes('stop'))
  await other.post(bytes('a'))
  expect((await given).code).toBe('ABORTED')
  expect(text((await provider.receive({ timeoutMs: 1_000 }))?.payload ?? bytes('nothing'))).toBe('a')
})

it('[SOCK 6.3] several receives at once give the credit of every message back', async () => {
  await using house = await House.open()
  const { consumer, provider } = await house.pair()
  for (let round = 0; round < 10; round++) {
    const both = [provider.receive(), provider.receive()]
    for (let i = 0; i < both.length; i++) await consumer.post(new Uint8Array(20 * KiB), { timeoutMs: 1_000 })
    expect((await Promise.all(both)).map((request) => request?.size)).toEqual([20 * KiB, 20 * KiB])
  }
})

it('drain is over when the last message has been received, also without a loop', async () => {
  await using house = await House.open()
  const { consumer, provider } = await house.pair()
  await consumer.post(bytes('a'))
  await consumer.close()
  await until('only the message is left', () => provider.pending === 1 && provider.consumers === 0)
  let isDrained = false
  const drained = provider.drain({ timeoutMs: 60_000 }).then(() => {
    isDrained = true
  })
  expect(text((await provider.receive())?.payload ?? bytes('nothing'))).toBe('a')
  await until('it is drained', () => isDrained)
  await drained
})

it('drain waits for a message that a loop has been given and not begun', async () => {
  await using house = await House.open('in-process')
  const { consumer, provider } = await house.pair()
  const order: string[] = []
  const loop = (async () => {
    for await (const request of provider) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      order.push(text(request.payload))
    }
  })()
  await until('it is joined', () => provider.consumers === 1)
  // The end of the stream comes in the same turn as the message.
  const posted = consumer.post(bytes('a'))
  const closed = consumer.close()
  const turn = async (): Promise<void> => {
    while (provider.consumers > 0) await Promise.resolve()
  }
  const drained = provider.drain().then(() => order.push('drained'))
  await Promise.all([posted, closed, turn, drained])
  await loop
  expect(order).toEqual(['a', 'drained'])
})
