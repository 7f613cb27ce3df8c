/** Pacing: publishers are held up for subscriptions that do not keep up, and for a part of their time at most. */
import type { Request } from 'signalbox/socket'
import { beforeEach, describe, expect, it } from 'vitest'
import { MemoryBudget } from '../../../../base/memory-budget.ts'
import { Holdings } from '../../../../broker/hub/delivery/holdings.ts'
import { Outbox } from '../../../../broker/hub/delivery/outbox.ts'
import { type Held, Pacer } from '../../../../broker/hub/delivery/pacing.ts'
import { Parcel } from '../../../../broker/hub/delivery/parcel.ts'
import { Patience } from '../../../../broker/hub/delivery/patience.ts'
import { ManualClock } from '../../../socket/tools/manual-clock.ts'
import { turns } from '../../../socket/tools/until.ts'
import { numbered } from '../../shared/batches.ts'
import { FakeConsumer } from './fake-consumer.ts'

/** One that takes all the credit that its stream began with. */
class FakeRequest {
  readonly size = 64 * 1024
  isHeld = false
  isOrphan = false
  releases = 0
  hold(): void {
    this.isHeld = true
  }
  letGo(): void {}
  release(): void {
    this.isHeld = false
    this.releases++
  }
}

/** Longer than a subscription is looked at. */
const windowMs = 550
const batch = numbered('a', 1, 1)
let clock: ManualClock
let pacer: Pacer
let patience: Patience

beforeEach(() => {
  clock = new ManualClock()
  pacer = new Pacer(clock, 1e9)
  patience = new Patience(0.1, clock.monotonic())
})

/** An outbox that is pressed, whose consumer takes as many batches as it is told to. */
function pressed() {
  const fake = new FakeConsumer()
  const limit = { messages: 800, bytes: 1_000_000, messageBytes: 1_000_000 }
  const outbox = new Outbox(fake.consumer, limit, new Holdings(new MemoryBudget(1_000_000_000)).join(1), () => {})
  const offer = (count: number) => {
    for (let i = 0; i < count; i++) outbox.offer(new Parcel(batch, 1))
  }
  const read = async (count: number) => {
    fake.grant(count * batch.length)
    await turns(2)
  }
  offer(100)
  return { outbox, offer, read }
}

function hold(outbox: Outbox, held?: Held, of = patience) {
  const request = new FakeRequest()
  of.arrived(clock.monotonic())
  return { request, held: pacer.hold(outbox, request as unknown as Request, of, held) }
}

describe('a publish into a pressed outbox', () => {
  it('is released once, though one of two outboxes goes before the other has it', async () => {
    const [one, other] = [pressed(), pressed()]
    const { request, held } = hold(one.outbox)
    one.outbox.close()
    expect(request.releases).toBe(1)
    pacer.hold(other.outbox, request as unknown as Request, patience, held)
    other.outbox.close()
    expect(request.releases).toBe(1)
  })

  it('is held until the outbox is relieved', async () => {
    const { outbox, read } = pressed()
    const { request } = hold(outbox)
    expect([request.isHeld, pacer.size]).toEqual([true, 1])
    await read(30)
    expect([outbox.isPressed, request.isHeld]).toEqual([true, true])
    await read(30)
    expect([outbox.isPressed, request.isHeld, request.releases, pacer.size]).toEqual([false, false, 1, 0])
    clock.advance(windowMs)
    expect(clock.timers).toBe(0)
  })

  it('is held by every outbox that it went into, and let go by the last', async () => {
    const [one, two] = [pressed(), pressed()]
    const { request, held } = hold(one.outbox)
    pacer.hold(two.outbox, request as unknown as Request, patience, held)
    expect(pacer.size).toBe(2)
    await one.read(90)
    expect([request.isHeld, pacer.size]).toEqual([true, 1])
    await two.read(90)
    expect([request.isHeld, request.releases]).toEqual([false, 1])
  })

  it('is let go when the pacer closes, and so are those after it', () => {
    const { outbox } = pressed()
    const { request } = hold(outbox)
    pacer.close()
    expect([request.isHeld, pacer.size, clock.timers]).toEqual([false, 0, 0])
    expect([hold(outbox).request.isHeld, pacer.size, clock.timers]).toEqual([false, 0, 0])
  })

  it('is let go when the outbox is cleared, for its subscription has ended', () => {
    const { outbox } = pressed()
    const { request } = hold(outbox)
    outbox.clear()
    expect([request.isHeld, pacer.size]).toEqual([false, 0])
  })
})

describe('a subscription that keeps a publisher waiting for most of the time', () => {
  it('holds nobody up any more, until it has caught up', async () => {
    const { outbox, offer, read } = pressed()
    const first = hold(outbox)
    clock.advance(windowMs)
    expect([first.request.isHeld, first.request.releases]).toEqual([false, 1])
    expect([hold(outbox).request.isHeld, pacer.size]).toEqual([false, 0])
    await read(90)
    expect(outbox.isPressed).toBe(false)
    offer(100)
    expect(hold(outbox).request.isHeld).toBe(true)
  })

  it('is not judged by the clock on the wall, which somebody sets', () => {
    const { outbox } = pressed()
    const { request } = hold(outbox)
    clock.set(3_600_000)
    clock.advance(50)
    expect(request.isHeld).toBe(true)
    clock.set(-7_200_000)
    clock.advance(windowMs)
    expect(request.isHeld).toBe(false)
  })

  it('is not one that makes it wait for a third of it', async () => {
    const { outbox, offer, read } = pressed()
    for (let i = 0; i < 20; i++) {
      const { request } = hold(outbox)
      expect(request.isHeld).toBe(true)
      clock.advance(20)
      await read(90)
      expect(request.isHeld).toBe(false)
      clock.advance(40)
      offer(90)
    }
  })

  it('is not one whose publisher goes on, for it has credit left', () => {
    const { outbox } = pressed()
    const { request } = hold(outbox)
    for (let i = 0; i < 100; i++) {
      clock.advance(10)
      patience.arrived(clock.monotonic())
    }
    expect(request.isHeld).toBe(true)
  })

  it('costs a publish into another outbox nothing', async () => {
    const [hangs, reads] = [pressed(), pressed()]
    const { request, held } = hold(hangs.outbox)
    pacer.hold(reads.outbox, request as unknown as Request, patience, held)
    await reads.read(90)
    clock.advance(windowMs)
    expect([request.isHeld, request.releases]).toEqual([false, 1])
  })
})

describe('the patience of a publisher', () => {
  /** How much of a long time it is held up, by subscriptions that make it wait for a part of each 100 ms. */
  async function heldUp(share: number, waitMs: number, rounds: number): Promise<number> {
    const own = new Patience(share, clock.monotonic())
    let held = 0
    for (let i = 0; i < rounds; i++) {
      const { outbox, read } = pressed()
      const { request } = hold(outbox, undefined, own)
      for (let ms = 0; ms < waitMs; ms += 10) {
        if (request.isHeld) held += 10
        clock.advance(10)
      }
      await read(100)
      clock.advance(100 - waitMs)
    }
    return held
  }

  it('is used up, so that it is held up for a tenth of its time at most', async () => {
    const held = await heldUp(0.1, 40, 1_200)
    // And two seconds that it had at the start, and may have had in between.
    expect(held).toBeLessThanOrEqual(120_000 * 0.1 + 2_000)
    expect(held).toBeGreaterThan(6_000)
  })

  it('has no end where the share is 1: what it publishes is waited for as long as it takes', async () => {
    const own = new Patience(1, clock.monotonic())
    const { outbox, read } = pressed()
    const { request } = hold(outbox, undefined, own)
    clock.advance(3_600_000)
    expect([request.isHeld, hold(outbox, undefined, own).request.isHeld]).toEqual([true, true])
    await read(90)
    expect(request.isHeld).toBe(false)
  })

  it('is none where the share is 0', () => {
    expect(hold(pressed().outbox, undefined, new Patience(0, clock.monotonic())).request.isHeld).toBe(false)
  })
})
