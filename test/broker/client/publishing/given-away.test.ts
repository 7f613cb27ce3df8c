/** A parcel that leaves in fragments is given away: whoever keeps it must find in it what was published. */
import { expect, it } from 'vitest'
import { Publisher } from '../../../../broker/client/publishing/publisher.ts'
import { ManualClock } from '../../../socket/tools/manual-clock.ts'
import { turns } from '../../../socket/tools/until.ts'
import { FakeConsumer } from '../../hub/delivery/fake-consumer.ts'

it('a message that left in fragments is never written over by those that come after it', async () => {
  const fake = new FakeConsumer(Number.POSITIVE_INFINITY)
  const publisher = new Publisher({
    producerId: 'me',
    sender: 'my name',
    clock: new ManualClock(),
    maxBufferedBytes: 1_000_000,
    maxMessageBytes: 1_000_000,
    open: fake.open,
    refused: () => {},
  })
  // Larger than a frame, and small enough to lie in the memory that other messages are packed into.
  const large = publisher.publish('a', new Uint8Array(100_000).fill(1), undefined)
  await turns(2)
  const [first] = fake.posted as [Uint8Array]
  const before = Buffer.from(first)
  const during = publisher.publish('a', new Uint8Array(30_000).fill(2), undefined)
  fake.left()
  await Promise.all([large, during])
  await publisher.publish('a', new Uint8Array(30_000).fill(3), undefined)
  await publisher.sent()
  expect(fake.posted.length).toBeGreaterThan(1)
  expect(before.equals(first)).toBe(true)
})
