/** What waits keeps as much memory alive as it takes, and not the large buffers that it was received in. */
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { House } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'
import { encodeFrame } from '../wire/naive-frame.ts'

describe.each(['tcp', 'in-process'] as const)('a Provider whose requests wait, %s', (place) => {
  it('keeps none of what came between them', async () => {
    await using house = await House.open(place)
    const channelId = newId()
    const provider = await (await house.link()).provider(channelId)
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'consumer', channelId)
    const { stream } = await peer.next(Kind.ATTACH)
    // Of a kind that an end of a stream ignores, and that costs no credit.
    const between = encodeFrame({ kind: 200, stream, payload: Buffer.alloc(60_000) })
    const count = 50
    for (let id = 1; id <= count; id++) {
      const payload = Buffer.from(`request ${id}`)
      peer.write(Buffer.concat([encodeFrame({ kind: Kind.DATA, stream, id, payload }), between, between, between]))
    }
    await until('all wait', () => provider.pending === count)
    for (let id = 1; id <= count; id++) {
      const payload = (await provider.receive())?.payload ?? new Uint8Array(0)
      expect(String(Buffer.from(payload))).toBe(`request ${id}`)
      expect(payload.buffer.byteLength).toBeLessThanOrEqual(8 * 1024)
    }
  })
})
