/** What broke: a `clock` of one's own that lacks what later versions ask of one made every link fail. */
import { Broker, connect } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../base/clock.ts'

const { now, after, every, turn, random } = systemClock
const old = { now, after, every, turn, random }

describe('a clock without the newer methods', () => {
  it('serves brokers and clients', async () => {
    await using broker = await Broker.listen({ port: 0, clock: old })
    await using client = await connect(broker.url, { clock: old })
    const subscription = await client.subscribe('t')
    await client.publish('t', 1)
    await client.flush()
    expect((await subscription.take(1))[0]?.data).toBe(1)
    await broker.publish('t', 2)
    expect((await subscription.take(1))[0]?.data).toBe(2)
  })
})
