/** Pacing: publishers are held back for a subscription that keeps reading, and for none that hangs. */
import type { Request } from 'signalbox/socket'
import { beforeEach, describe, expect, it } from 'vitest'
import { Outbox } from '../../../../broker/hub/delivery/outbox.ts'
import { type Held, Pacer } from '../../../../broker/hub/delivery/pacing.ts'
import { Parcel } from '../../../../broker/hub/delivery/parcel.ts'
import { ManualClock } from '../../../socket/tools/manual-clock.ts'
import { turns } from '../../../socket/tools/until.ts'
import { numbered } from '../../shared/batches.ts'
import { FakeConsumer } from './fake-consumer.ts'

class FakeRequest {
  isHeld = false
  releases = 0
  hold(): void {
    this.isHeld = true
  }
  release(): void {
    this.isHeld = false
    this.releases++
  }
}

/** Four times as long as it takes until progress is looked for. */
const longMs = 2_000
const batch = numbered('a', 1, 1)
let clock: ManualClock
let pacer: Pacer

beforeEach(() => {
  clock = new ManualClock()
  pacer = new Pacer(clock)
})

/** An outbox that is pressed, whose consumer takes as many batches as it is told to. */
function pressed() {
  const fake = new FakeConsumer()
  const outbox = new Outbox(fake.consumer, { messages: 800, bytes: 1_000_000 })
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

function hold(outbox: Outbox, held?: Held) {
  const request = new FakeRequest()
  return { request, held: pacer.hold(outbox, request as unknown as Request, held) }
}

describe('a publish into a pressed outbox', () => {
  it('is held until the outbox is relieved', async () => {
    const { outbox, read } = pressed()
    const { request } = hold(outbox)
    expect([request.isHeld, pacer.size]).toEqual([true, 1])
    await read(30)
    expect([outbox.isPressed, request.isHeld]).toEqual([true, true])
    await read(30)
    expect([outbox.isPressed, request.isHeld, request.releases, pacer.size]).toEqual([false, false, 1, 0])
    expect(clock.timers).toBe(0)
  })

  it('is held as long as the outbox makes progress, however slow', async () => {
    const { outbox, read } = pressed()
    const { request } = hold(outbox)
    for (let i = 0; i < 20; i++) {
      await read(1)
      clock.advance(longMs / 4)
    }
    expect(request.isHeld).toBe(true)
  })

  it('is not let go by a check that comes right after it', () => {
    const [early, late] = [pressed(), pressed()]
    hold(early.outbox)
    clock.advance(longMs / 4 - 1)
    const { request } = hold(late.outbox)
    clock.advance(1)
    expect(request.isHeld).toBe(true)
  })

  it('is let go when the outbox has made no progress for a while, and so are those after it until it has caught up', async () => {
    const { outbox, offer, read } = pressed()
    const first = hold(outbox)
    clock.advance(longMs)
    expect([first.request.isHeld, first.request.releases]).toEqual([false, 1])
    const second = hold(outbox)
    expect([second.request.isHeld, second.held, pacer.size, clock.timers]).toEqual([false, undefined, 0, 0])
    await read(90)
    expect(outbox.isPressed).toBe(false)
    offer(100)
    expect(hold(outbox).request.isHeld).toBe(true)
  })

  it('is held by every outbox that it went into, and let go by the last', async () => {
    const [one, two] = [pressed(), pressed()]
    const { request, held } = hold(one.outbox)
    pacer.hold(two.outbox, request as unknown as Request, held)
    expect(pacer.size).toBe(2)
    await one.read(90)
    expect([request.isHeld, pacer.size]).toEqual([true, 1])
    await two.read(90)
    expect([request.isHeld, request.releases]).toEqual([false, 1])
  })

  it('is let go when the pacer closes', () => {
    const { outbox } = pressed()
    const { request } = hold(outbox)
    pacer.close()
    expect([request.isHeld, pacer.size, clock.timers]).toEqual([false, 0, 0])
  })

  it('is let go when the outbox is cleared, for its subscription has ended', () => {
    const { outbox } = pressed()
    const { request } = hold(outbox)
    outbox.clear()
    expect([request.isHeld, pacer.size]).toEqual([false, 0])
  })

  it('costs a publish into another outbox nothing that one hangs', async () => {
    const [hangs, reads] = [pressed(), pressed()]
    const { request, held } = hold(hangs.outbox)
    pacer.hold(reads.outbox, request as unknown as Request, held)
    await reads.read(1)
    clock.advance(500)
    await reads.read(90)
    clock.advance(1_000)
    expect([request.isHeld, request.releases]).toEqual([false, 1])
  })
})
