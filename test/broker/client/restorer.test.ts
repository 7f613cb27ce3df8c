/** The restorer: whatever comes in whatever order, one place at most is live, and where there is a broker one is. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Ground, type Place, Restorer } from '../../../broker/client/restorer.ts'
import { brokerError } from '../../../broker/shared/errors.ts'
import { ManualClock } from '../../socket/tools/manual-clock.ts'
import { turns } from '../../socket/tools/until.ts'
import { subscribed } from '../tools/scripted-broker.ts'

/** A channel that the client has opened, and what is known of it. */
class FakePlace implements Place {
  readonly channel: string
  isClosed = false
  /** The broker forwards here. */
  isServed = false
  readonly observe: (brokers: number) => void

  constructor(channel: number, observe: (brokers: number) => void) {
    this.channel = String(channel)
    this.observe = observe
  }

  async close(): Promise<void> {
    this.isClosed = true
    this.isServed = false
  }
}

/** A world in which channels open, and brokers answer, when the test says so. */
class World implements Ground {
  readonly clock = new ManualClock()
  hasBroker = false
  readonly places: FakePlace[] = []
  readonly opening: ((opens: boolean) => void)[] = []
  readonly asked: ((answers: boolean) => void)[] = []
  readonly unsubscribed: string[] = []
  failures: Error[] = []
  begun = 0
  readonly restorer: Restorer

  constructor() {
    this.restorer = new Restorer(this, {
      take: () => undefined,
      expect: () => null,
      begun: () => void this.begun++,
      failed: (error) => void this.failures.push(error),
    })
    void this.restorer.start().catch(() => {})
  }

  provide(_take: unknown, observe: (brokers: number) => void): Promise<Place> {
    return new Promise((resolve, reject) => {
      this.opening.push((opens) => {
        if (!opens) return reject(brokerError('BROKER_CLOSED'))
        const place = new FakePlace(this.places.length, observe)
        this.places.push(place)
        resolve(place)
      })
    })
  }

  subscribe(channel: string): Promise<typeof subscribed> {
    const place = this.places[Number(channel)] as FakePlace
    return new Promise((resolve, reject) => {
      this.asked.push((answers) => {
        if (!answers || place.isClosed) return reject(brokerError('BROKER_CLOSED'))
        place.isServed = true
        place.observe(1)
        resolve(subscribed)
      })
    })
  }

  async unsubscribe(channel: string): Promise<void> {
    this.unsubscribed.push(channel)
  }

  meet(): void {
    this.hasBroker = true
    void this.restorer.met()
  }

  lose(): void {
    this.hasBroker = false
    this.restorer.lost()
    for (const place of this.served) this.desert(place)
    // What was asked of the broker that is gone fails.
    for (const answer of this.asked.splice(0)) answer(false)
  }

  /** The broker ends one subscription by itself. */
  desert(place: FakePlace): void {
    place.isServed = false
    place.observe(0)
  }

  get served(): FakePlace[] {
    return this.places.filter((place) => place.isServed && !place.isClosed)
  }
}

describe('a subscription that is restored', () => {
  it('is asked for once, though the timer of an earlier refusal falls into a slow opening', async () => {
    const world = new World()
    world.meet()
    world.opening.shift()?.(false)
    await turns(2)
    expect(world.restorer.state).toBe('waiting')
    world.lose()
    world.meet()
    world.clock.advance(600)
    await turns(2)
    expect(world.opening).toHaveLength(1)
    world.opening.shift()?.(true)
    await turns(2)
    world.asked.shift()?.(true)
    await turns(2)
    expect([world.served.length, world.begun, world.restorer.state]).toEqual([1, 1, 'live'])
  })

  it('is not touched by an attempt that was overtaken', async () => {
    const world = new World()
    world.meet()
    const slow = world.opening.shift()
    world.lose()
    world.meet()
    world.opening.shift()?.(true)
    await turns(2)
    world.asked.shift()?.(true)
    await turns(2)
    slow?.(true)
    await turns(2)
    expect([world.places.map(({ isClosed }) => isClosed), world.restorer.state]).toEqual([[false, true], 'live'])
  })

  it('is asked for again when the broker ended it by itself', async () => {
    const world = new World()
    world.meet()
    world.opening.shift()?.(true)
    await turns(2)
    world.asked.shift()?.(true)
    await turns(2)
    world.desert(world.places[0] as FakePlace)
    await turns(3)
    world.clock.advance(600)
    world.opening.shift()?.(true)
    await turns(2)
    world.asked.shift()?.(true)
    await turns(2)
    expect([world.begun, world.served.length, world.restorer.state]).toEqual([2, 1, 'live'])
  })

  it('goes on taking what a broker sends that has left its channel, until it is gone', async () => {
    const world = new World()
    world.meet()
    world.opening.shift()?.(true)
    await turns(2)
    world.asked.shift()?.(true)
    await turns(2)
    world.hasBroker = false
    world.restorer.lost()
    expect([world.restorer.state, world.places[0]?.isClosed]).toEqual(['live', false])
    world.desert(world.places[0] as FakePlace)
    await turns(3)
    expect([world.restorer.state, world.places[0]?.isClosed]).toEqual(['idle', true])
  })

  it('is drained of what a broker that has left its channel still sends', async () => {
    const world = new World()
    world.meet()
    world.opening.shift()?.(true)
    await turns(2)
    world.asked.shift()?.(true)
    await turns(2)
    world.hasBroker = false
    world.restorer.lost()
    const leaving = world.restorer.leave(5_000)
    await turns(3)
    expect(world.places[0]?.isClosed).toBe(false)
    world.desert(world.places[0] as FakePlace)
    await leaving
    expect([world.places[0]?.isClosed, world.unsubscribed]).toEqual([true, []])
  })

  it('is drained no longer than asked for of a broker that has left its channel and stays joined', async () => {
    const world = new World()
    world.meet()
    world.opening.shift()?.(true)
    await turns(2)
    world.asked.shift()?.(true)
    await turns(2)
    world.hasBroker = false
    const leaving = world.restorer.leave(5_000)
    await turns(2)
    world.clock.advance(5_001)
    await leaving
    expect(world.places[0]?.isClosed).toBe(true)
  })

  const steps = fc.array(
    fc.constantFrom('meet', 'lose', 'open', 'refuse to open', 'answer', 'refuse', 'wait', 'turn', 'desert'),
    { maxLength: 25 },
  )

  it('has one live place at most after whatever happens, and one once everything is well', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (all, isClosed) => {
        const world = new World()
        for (const step of all) {
          if (step === 'meet' && !world.hasBroker) world.meet()
          if (step === 'lose' && world.hasBroker) world.lose()
          if (step === 'open') world.opening.shift()?.(true)
          if (step === 'refuse to open') world.opening.shift()?.(false)
          if (step === 'answer' && world.hasBroker) world.asked.shift()?.(true)
          if (step === 'refuse') world.asked.shift()?.(false)
          if (step === 'desert' && world.served[0]) world.desert(world.served[0])
          if (step === 'wait') world.clock.advance(600)
          await turns(1)
          expect(world.served.length).toBeLessThanOrEqual(1)
        }
        if (isClosed) await world.restorer.leave(0)
        if (!world.hasBroker) world.meet()
        for (let round = 0; round < 12; round++) {
          world.opening.shift()?.(true)
          await turns(2)
          world.asked.shift()?.(true)
          await turns(2)
          world.clock.advance(600)
        }
        const open = world.places.filter((place) => !place.isClosed)
        expect([open.length, world.served.length]).toEqual(isClosed ? [0, 0] : [1, 1])
        expect([world.restorer.state, world.failures]).toEqual([isClosed ? 'over' : 'live', []])
      }),
      { numRuns: 60 },
    )
  })
})
