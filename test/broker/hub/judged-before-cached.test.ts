/** What broke: names of 64 KiB were kept as text before anybody had looked whether they are names. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Broker } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { until } from '../../socket/tools/until.ts'
import { RawClient } from '../tools/raw-client.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

describe('batches that are refused', () => {
  it('leave nothing at the broker: neither their topics nor their senders [BROKER 3.3]', async () => {
    await using broker = await Broker.listen()
    await using raw = await RawClient.connect(broker.url)
    const buffers = () => {
      gc()
      return process.memoryUsage().arrayBuffers
    }
    await raw.ask({ op: 'hello' })
    const before = buffers()
    for (let i = 0; i < 2_000; i++) {
      const long = `${i}`.padStart(30_000, 'x')
      await raw.publish(long)
      await raw.publish('t', { sender: long })
    }
    const { taken, refused } = await raw.ask<{ taken: number; refused: number }>({ op: 'flush' })
    expect([taken, refused, broker.stats().topics]).toEqual([0, 4_000, 0])
    // They were 120 MB; what was received last may lie around, and buffers are given back behind the collector's back.
    await until('they are gone', () => buffers() - before < 20_000_000)
  })

  it('do not keep the others of their parcel from being taken, and are all judged before any is numbered', async () => {
    await using broker = await Broker.listen({ maxTopics: 1 })
    await using raw = await RawClient.connect(broker.url)
    const { provider } = await raw.subscribe('a')
    const parts = [
      raw.batch('a'),
      raw.batch('b'),
      raw.batch('a..b'),
      raw.batch('a', { sender: 'other' }),
      raw.batch('a'),
    ]
    await raw.consumer.post(new Uint8Array(Buffer.concat(parts)))
    expect(await raw.ask({ op: 'flush' })).toEqual({ taken: 2, refused: 3 })
    const first = await provider.receive()
    const second = await provider.receive()
    expect([first?.size, second?.size]).toEqual([parts[0]?.length, parts[4]?.length])
    expect(broker.stats()).toMatchObject({ published: 2, refused: 3, topics: 1 })
  })

  it('are those with flags that the broker does not serve, and under names of its own [BROKER 2.10]', async () => {
    await using broker = await Broker.listen()
    await using raw = await RawClient.connect(broker.url)
    const flagged = (flags: number) => {
      const bytes = raw.batch('a')
      bytes[1] = flags
      return raw.consumer.send(bytes)
    }
    for (const flags of [1, 2, 4, 16, 32, 64]) {
      await expect(flagged(flags)).rejects.toMatchObject({ code: 'INVALID_BATCH' })
    }
    await flagged(128)
    await expect(raw.consumer.send(raw.batch('$sys.stats'))).rejects.toMatchObject({ code: 'FORBIDDEN' })
    expect(broker.stats().published).toBe(1)
  })
})
