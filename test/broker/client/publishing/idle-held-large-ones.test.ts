/** What broke: a publisher held the memory of a large message until the next one, and the encoder that of the largest. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { Publisher } from '../../../../broker/client/publishing/publisher.ts'
import { ManualClock } from '../../../socket/tools/manual-clock.ts'
import { turns } from '../../../socket/tools/until.ts'
import { FakeConsumer } from '../../hub/delivery/fake-consumer.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

it.each([
  ['bytes', () => new Uint8Array(15_000_000)],
  ['a value', () => 'x'.repeat(15_000_000)],
])('%s that have gone leave nothing behind', async (_, data) => {
  const fake = new FakeConsumer(Number.POSITIVE_INFINITY)
  const limits = { maxBufferedBytes: 1e9, maxMessageBytes: 1e9 }
  const settings = { producerId: 'me', sender: '', clock: new ManualClock(), ...limits }
  const publishers = Array.from({ length: 5 }, () => new Publisher({ ...settings, open: fake.open, refused: () => {} }))
  const before = process.memoryUsage().arrayBuffers
  for (const publisher of publishers) {
    const published = publisher.publish('t', data(), undefined)
    fake.left()
    await published
    fake.posted.length = 0
  }
  await turns(5)
  collect()
  await turns(5)
  collect()
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000)
  expect(publishers.map(({ buffered }) => buffered)).toEqual([0, 0, 0, 0, 0])
})
