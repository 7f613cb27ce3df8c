/** What broke: a small message that waited at its subscriber kept the 256 KiB alive that it was received in. */
import { Broker, connect, type Message } from 'signalbox'
import { expect, it } from 'vitest'
import { until } from '../../socket/tools/until.ts'

it.each(['block', 'drop-oldest'] as const)(
  'under %s what waits is kept apart from the traffic it came in',
  async (overflow) => {
    await using broker = await Broker.listen({ graceMs: 20 })
    await using publisher = await connect(broker.url)
    await using client = await connect(broker.url)
    const read = await client.subscribe('large')
    void read.run(() => {})
    const unread = await client.subscribe('small', { overflow })
    for (let i = 1; i <= 8; i++) {
      await publisher.publish('small', i)
      for (let k = 0; k < 6; k++) await publisher.publish('large', new Uint8Array(50_000))
      await until('all has come', () => unread.pending === i && read.received === 6 * i && read.pending === 0)
    }
    await new Promise((resolve) => setTimeout(resolve, 300))
    const messages: Message[] = await unread.take(8)
    expect(messages.map(({ data }) => data)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    for (const { payload } of messages) expect(payload.buffer.byteLength).toBeLessThanOrEqual(8 * 1024)
  },
)
