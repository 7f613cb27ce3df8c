/** Windows of an odd number of bytes: `windowBytes` may be one, and what a window shrinks by is whatever was granted. */
import { expect, it } from 'vitest'
import { MemoryBudget } from '../../../base/memory-budget.ts'
import { linkSettings } from '../../../socket/options.ts'
import { GrowthBudget } from '../../../socket/stream/credit.ts'
import { type Outgoing, Stream, type StreamHost, type StreamOwner } from '../../../socket/stream/stream.ts'
import type { Port } from '../../../socket/transport/port.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import type { PeerInfo } from '../../../socket/wire/peer.ts'

const peer: PeerInfo = { linkId: 1, name: '', transport: 'local', address: '', identity: {}, features: [] }
const windowBytes = 65_537

class Host implements StreamHost {
  readonly settings = { ...linkSettings({ windowBytes }), memory: new MemoryBudget(1e9) }
  readonly growth = new GrowthBudget(1_000_000)
  readonly sent: Parameters<Port['send']>[] = []
  readonly port = { send: (...frame: Parameters<Port['send']>) => this.sent.push(frame) } as unknown as Port
  wantsPump(): void {}
  forget(): void {}
}

/** Consumes each message as it comes. */
const owner: StreamOwner = {
  message: (stream, _flags, _id, _bytes, start, end, cost) => stream.consumed(cost, end - start),
  discarded() {},
  cancelled() {},
  writable() {},
  finished() {},
  gone() {},
}

it('[SOCK 6.3] large messages through an odd window get all their credit back: each cost a byte of it, until nothing went', () => {
  const [near, far] = [new Host(), new Host()]
  const [sender, receiver] = [new Stream(1, peer, near, owner), new Stream(1, peer, far, owner)]
  const message: Outgoing = {
    flags: 0,
    id: 0,
    bytes: new Uint8Array(65_600),
    ordered: true,
    isGiven: true,
    isWaiting: false,
    leaving() {},
    left() {},
    fail() {},
  }
  let [cost, granted] = [0, 0]
  for (let count = 0; count < 100; count++) {
    expect(sender.canSend(message.bytes.length, true)).toBe(true)
    sender.send(message)
    for (let moved = 1; moved > 0; ) {
      sender.pump(1)
      moved = near.sent.length
      for (const [kind, flags, , id, bytes, start, end] of near.sent.splice(0)) {
        receiver.frame(kind, flags, id, bytes, start, end)
        if (kind === Kind.DATA) cost += 16 + end - start
      }
      for (const [kind, flags, , id, bytes, start, end] of far.sent.splice(0)) {
        // As it is when it has crossed: a whole number.
        sender.frame(kind, flags, id >>> 0, bytes, start, end)
        granted += id
      }
    }
  }
  expect(receiver.isCreditWhole).toBe(true)
  expect(sender.credit).toBe(65_536 - cost + granted)
})
