/** What a port has to keep for a peer that does not read is a copy, unless most of its memory is its own. */
import { expect, it } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { listen } from '../../../socket/transport/node/listen.ts'
import type { Port } from '../../../socket/transport/port.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { Recording } from '../tools/recording.ts'
import { turns, until } from '../tools/until.ts'
import { encodeFrame } from '../wire/naive-frame.ts'

it('a frame that waits keeps nothing of the buffer that it was received in', async () => {
  const accepted: Port[] = []
  const settings = { clock: systemClock, handshakeTimeoutMs: 5_000, reserve: () => () => {} }
  const listener = await listen({}, settings, (port) => accepted.push(port))
  await using peer = await RawPeer.connect(listener.url)
  peer.socket.pause()
  const port = await until('it is accepted', () => accepted[0])
  port.attach(new Recording())
  // Nobody reads yet, so the system takes no more at some time.
  const plain = { kind: Kind.DATA, flags: 0, stream: 1 }
  const filling = encodeFrame({ ...plain, id: 1, payload: Buffer.alloc(60_000) })
  while (!port.isCongested) {
    port.relay(filling, 0, filling.length)
    await turns(1)
  }
  // A few are only referred to: in most cases what waits leaves in a moment.
  for (let count = 0; count < 6; count++) {
    const first = encodeFrame({ ...plain, id: 1, payload: Buffer.alloc(9_000) })
    port.relay(Buffer.concat([first, Buffer.alloc(100_000)]), 0, first.length)
  }
  const frame = encodeFrame({ ...plain, id: 2, payload: Buffer.alloc(9_000, 'a') })
  const received = Buffer.concat([frame, Buffer.alloc(100_000)])
  port.relay(received, 0, frame.length)
  // Nothing follows it in its buffer.
  port.relay(filling, 0, filling.length)
  // A copy does not notice that the buffer is used for something else.
  received.fill('b')
  peer.socket.resume()
  const last = await until('it comes', () => peer.frames.find(({ id }) => id === 2))
  expect(String(last.payload)).toBe('a'.repeat(9_000))
  port.destroy()
  await listener.close()
})
