/** What broke: a `clock` of one's own that lacks what later versions ask of one made every link fail. */
import { Broker, connect } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { type Clock, systemClock, wholeClock } from '../../../base/clock.ts'

const { now, after, every, turn, random } = systemClock
const old = { now, after, every, turn, random } as Clock

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

  it('is made whole once, from its own methods where they will do', () => {
    class Counting {
      turns = 0
      now(): number {
        return 42
      }
      turn(call: () => void): void {
        this.turns++
        call()
      }
    }
    const own = new Counting()
    const whole = wholeClock(own as unknown as Clock)
    whole.soon(() => {})
    expect([whole.monotonic(), own.turns, whole.entropy(4).length]).toEqual([42, 1, 4])
    expect(wholeClock(own as unknown as Clock)).toBe(whole)
    expect(wholeClock(systemClock)).toBe(systemClock)
  })
})
