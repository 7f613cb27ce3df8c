/** What broke: a loop that publishes kept everything else from running, and waited for what came after it. */
import { Broker } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { Publisher } from '../../../broker/client/publishing/publisher.ts'
import { ManualClock } from '../../socket/tools/manual-clock.ts'
import { turns } from '../../socket/tools/until.ts'
import { FakeConsumer } from '../hub/delivery/fake-consumer.ts'

const settings = {
  producerId: 'p',
  sender: 's',
  maxBufferedBytes: 10_000_000,
  maxMessageBytes: 1_000_000,
  clock: new ManualClock(),
}

describe('a loop that publishes', () => {
  it('lets timers run, also when the broker is in the same process', async () => {
    await using broker = await Broker.listen()
    let isOver = false
    setTimeout(() => {
      isOver = true
    }, 20)
    let published = 0
    for (; !isOver; published++) await broker.publish('a', published)
    expect(published).toBeGreaterThan(0)
  })

  it('goes on as soon as its own message has left, whatever has been published since', async () => {
    const fake = new FakeConsumer(0)
    const publisher = new Publisher({ ...settings, open: fake.open, refused: () => {} })
    const payload = new Uint8Array(40_000)
    void publisher.publish('a', payload, undefined)
    void publisher.publish('a', payload, undefined)
    const second = publisher.publish('a', payload, undefined)
    const isTaken = second.then(() => true)
    for (let i = 0; i < 5; i++) void publisher.publish('a', payload, undefined)
    for (let i = 0; i < 3; i++) {
      fake.grant(40_000)
      await turns(2)
    }
    expect(await Promise.race([isTaken, turns(2).then(() => false)])).toBe(true)
    expect(publisher.buffered).toBeGreaterThan(0)
    publisher.close(new Error('closed'))
  })

  it('leaves no rejection behind when the publisher closes, though nobody waits', async () => {
    const fake = new FakeConsumer(0)
    const publisher = new Publisher({ ...settings, open: fake.open, refused: () => {} })
    for (let i = 0; i < 3; i++) void publisher.publish('a', new Uint8Array(40_000), undefined)
    fake.grant(1)
    await turns(2)
    void publisher.publish('a', 1, undefined)
    publisher.close(new Error('closed'))
    // An unhandled rejection ends the test run.
    await turns(4)
    expect(fake.posted.length).toBe(1)
  })
})
