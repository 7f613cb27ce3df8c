/** What broke: a large message whose fragments could not all go was taken for one that had gone. */
import { describe, expect, it } from 'vitest'
import { socketError } from '../../../../base/errors.ts'
import { Publisher } from '../../../../broker/client/publishing/publisher.ts'
import type { Refused } from '../../../../broker/client/publishing/refusals.ts'
import { encodeReply } from '../../../../broker/shared/replies.ts'
import { ManualClock } from '../../../socket/tools/manual-clock.ts'
import { turns } from '../../../socket/tools/until.ts'
import { FakeConsumer } from '../../hub/delivery/fake-consumer.ts'
import { failure } from '../../tools/reading.ts'

function made(error: Error) {
  const fake = new FakeConsumer(10_000_000)
  fake.post = () => Promise.reject(error)
  Object.assign(fake, { send: async () => encodeReply({ taken: 0, refused: 0 }) })
  const told: Refused[] = []
  const own = { clock: new ManualClock(), open: fake.open, refused: (one: Refused) => told.push(one) }
  const limits = { maxBufferedBytes: 10_000_000, maxMessageBytes: 10_000_000 }
  return { told, publisher: new Publisher({ producerId: 'me', sender: '', ...limits, ...own }) }
}
const limits = { timeoutMs: Number.POSITIVE_INFINITY, signal: undefined }

describe('a large message that does not go out', () => {
  it('rejects, and is lost for the next flush, when the link broke', async () => {
    const { publisher, told } = made(socketError('LINK_LOST'))
    expect(await failure(publisher.publish('t', new Uint8Array(200_000), undefined))).toMatchObject({
      code: 'LINK_LOST',
    })
    expect(await failure(publisher.flush(limits))).toMatchObject({ code: 'LINK_LOST', details: { lost: 1 } })
    await publisher.flush(limits)
    expect(told).toEqual([])
  })

  it('rejects, is told as refused, and rejects the next flush, when there was no room for it', async () => {
    const { publisher, told } = made(socketError('MEMORY_FULL'))
    const publishing = publisher.publish('t', new Uint8Array(200_000), undefined)
    expect(await failure(publishing)).toMatchObject({ code: 'MEMORY_FULL' })
    expect(await failure(publisher.flush(limits))).toMatchObject({ code: 'MEMORY_FULL', details: { refused: 1 } })
    await turns(2)
    expect(told).toMatchObject([{ code: 'MEMORY_FULL', count: 1 }])
    await publisher.flush(limits)
  })
})
