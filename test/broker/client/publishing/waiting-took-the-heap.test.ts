/** What broke: publishes that nobody awaits took many times the memory that `maxBufferedBytes` allows. */
import { describe, expect, it } from 'vitest'
import { Publisher } from '../../../../broker/client/publishing/publisher.ts'
import { ManualClock } from '../../../socket/tools/manual-clock.ts'
import { turns } from '../../../socket/tools/until.ts'
import { FakeConsumer } from '../../hub/delivery/fake-consumer.ts'
import { failure } from '../../tools/reading.ts'

function made(maxBufferedBytes: number) {
  const fake = new FakeConsumer(0)
  const own = { clock: new ManualClock(), open: fake.open, refused: () => {} }
  const settings = { producerId: 'me', sender: '', maxBufferedBytes, maxMessageBytes: 1_000_000, ...own }
  return { fake, publisher: new Publisher(settings) }
}

describe('publishes that wait for credit', () => {
  it('count with those who wait for them, however small the messages are', async () => {
    const { publisher } = made(64_000)
    void publisher.publish('t', 0, undefined)
    await turns(2)
    for (let i = 0; i < 5_000; i++) void publisher.publish('t', i, undefined)
    expect(publisher.buffered).toBeLessThan(64_000)
    expect(publisher.refused).toBeGreaterThan(3_900)
  })

  it('are refused with one and the same error, and another once those who wait have gone on', async () => {
    const { publisher, fake } = made(1_000)
    void publisher.publish('t', new Uint8Array(900), undefined)
    await turns(2)
    const refused = [1, 2, 3].map(() => publisher.publish('t', new Uint8Array(200), undefined))
    const [first, ...others] = await Promise.all(refused.map(failure))
    expect(first).toMatchObject({ code: 'BUFFER_FULL', details: { limit: 1_000 } })
    for (const error of others) expect(error).toBe(first)
    expect(publisher.refused).toBe(3)
    expect(await failure(publisher.publish('t', new Uint8Array(200), undefined))).not.toBe(first)
    fake.grant(1_000_000)
    await publisher.sent()
    await publisher.publish('t', new Uint8Array(200), undefined)
  })
})
