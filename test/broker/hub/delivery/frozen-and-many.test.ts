/** A client has thousands of subscriptions that it does not read, and publishes into them. Others must not pay for that. */
import type { Request } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { MemoryBudget } from '../../../../base/memory-budget.ts'
import { Holdings } from '../../../../broker/hub/delivery/holdings.ts'
import { Outbox } from '../../../../broker/hub/delivery/outbox.ts'
import { type Held, Pacer } from '../../../../broker/hub/delivery/pacing.ts'
import { Parcel } from '../../../../broker/hub/delivery/parcel.ts'
import { Patience } from '../../../../broker/hub/delivery/patience.ts'
import { ManualClock } from '../../../socket/tools/manual-clock.ts'
import { numbered } from '../../shared/batches.ts'
import { FakeConsumer } from './fake-consumer.ts'

const limit = { messages: 1, bytes: 1_000, messageBytes: 1_000 }

describe('a thousand subscriptions that are not read', () => {
  // 2,300 publishes into 4,000 of them took 90 MB until the first timer fired.
  it('hold back each of a thousand publishes, and remember a part of who holds which', () => {
    const clock = new ManualClock()
    const pacer = new Pacer(clock, 1e9)
    const patience = new Patience(1, clock.monotonic())
    const share = new Holdings(new MemoryBudget(1e9)).join(1)
    const outboxes = Array.from({ length: 1_000 }, () => {
      const outbox = new Outbox(new FakeConsumer().consumer, limit, share, () => {})
      outbox.offer(new Parcel(numbered('a', 1, 1), 1))
      return outbox
    })
    const isHeld = new Set<number>()
    for (let publish = 0; publish < 1_000; publish++) {
      const request = {
        size: 100,
        letGo: () => {},
        hold: () => isHeld.add(publish),
        release: () => isHeld.delete(publish),
      }
      let held: Held | undefined
      for (const outbox of outboxes) held = pacer.hold(outbox, request as unknown as Request, patience, held)
    }
    expect(isHeld.size).toBe(1_000)
    expect(pacer.size).toBeLessThan(252_000)
    for (const outbox of outboxes) outbox.close()
    expect([isHeld.size, pacer.size]).toEqual([0, 0])
  })
})
