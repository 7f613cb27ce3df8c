/** Parcels for a broker that knows the client by another name, or takes less. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeAttributes } from '../../../../broker/client/publishing/attributes.ts'
import { Packer } from '../../../../broker/client/publishing/packer.ts'
import { repack } from '../../../../broker/client/publishing/repack.ts'
import { ReceivedBatch } from '../../../../broker/client/received-batch.ts'
import { BatchHeader } from '../../../../broker/shared/batch.ts'

function packed(messages: readonly { topic: string; size: number; id?: string }[]): Uint8Array[] {
  const packer = new Packer('me', 'old', 1_000_000)
  for (const { topic, size, id } of messages) {
    const attributes = id === undefined ? undefined : encodeAttributes({ ...none, id })
    const length = 5 + size + (attributes ? 4 + attributes.length : 0)
    packer.append(packer.admit(topic, length), new Uint8Array(size), true, attributes, length)
  }
  packer.wrap()
  return packer.parcels.clear().map(({ bytes }) => bytes)
}
const none = { id: undefined, headers: undefined, correlationId: undefined, replyTo: undefined }

function unpacked(parcel: Uint8Array): string[] {
  const found: string[] = []
  for (let at = 0; at < parcel.length; ) {
    const header = new BatchHeader(parcel, at)
    const batch = new ReceivedBatch(header, header.topic, { batches: 0, release: () => {}, compact: () => parcel })
    while (batch.left > 0) {
      const { topic, id, sender, payload } = batch.next()
      found.push(`${topic} ${id} ${sender} ${payload.length}`)
    }
    at = header.end
  }
  return found
}

describe('a parcel that is packed anew', () => {
  it('has the same messages in order, in pieces that the broker takes, and counts those that are too large', () => {
    const message = fc.record({ topic: fc.constantFrom('a', 'b.c'), size: fc.nat(3_000), id: fc.constantFrom('x', '') })
    fc.assert(
      fc.property(fc.array(message, { maxLength: 60 }), fc.integer({ min: 100, max: 70_000 }), (messages, limit) => {
        const given: { topic: string; size: number; id?: string }[] = messages.map(({ id, ...rest }) =>
          id ? { ...rest, id } : rest,
        )
        const found: string[] = []
        let lost = 0
        for (const parcel of packed(given)) {
          const { parcels, tooLarge } = repack(parcel, new TextEncoder().encode('new name'), limit)
          for (const { bytes, count } of parcels) {
            expect(bytes.length).toBeLessThanOrEqual(limit)
            expect(unpacked(bytes)).toHaveLength(count)
            found.push(...unpacked(bytes))
          }
          lost += tooLarge
        }
        const expected = given.map(({ topic, size, ...own }, i) => `${topic} ${own.id ?? `me:${i}`} new name ${size}`)
        expect(found.length + lost).toBe(expected.length)
        expect(found).toEqual(expected.filter((line) => found.includes(line)))
      }),
      { numRuns: 100 },
    )
  })
})
