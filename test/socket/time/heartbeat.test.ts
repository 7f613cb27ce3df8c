/** Finding peers that are gone: by bytes received, in time, and never because this process itself was held up. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Heartbeat } from '../../../socket/time/heartbeat.ts'
import type { Port } from '../../../socket/transport/port.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { ManualClock } from '../tools/manual-clock.ts'

const intervalMs = 1_000

/** As much of a port as a heartbeat looks at. */
class Pulse {
  readonly clock = new ManualClock()
  received = 0
  isPartial = false
  pings = 0
  lost: { code: string; atMs: number }[] = []
  readonly stop: () => void

  constructor(everyMs = intervalMs) {
    const send = (kind: number): void => {
      if (kind === Kind.PING) this.pings++
    }
    const port = Object.defineProperties(
      { send },
      { received: { get: () => this.received }, isPartial: { get: () => this.isPartial } },
    ) as unknown as Port
    const heartbeat = new Heartbeat(everyMs, this.clock)
    const link = {
      port,
      silent: (error: Error) => {
        this.lost.push({ code: (error as Error & { code: string }).code, atMs: this.clock.now() })
      },
    }
    heartbeat.watch(link)
    this.stop = () => heartbeat.forget(link)
  }
}

describe('the heartbeat', () => {
  it('[SOCK 7.1] finds a silent peer between one and a half and two intervals after its last byte', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1_200 }), { maxLength: 20 }), (pauses) => {
        const pulse = new Pulse()
        let lastByteMs = pulse.clock.now()
        for (const pause of pauses) {
          pulse.clock.advance(pause)
          pulse.received++
          lastByteMs = pulse.clock.now()
        }
        expect(pulse.lost).toEqual([])
        pulse.clock.advance(10 * intervalMs)
        const [lost, ...others] = pulse.lost
        expect([lost?.code, others]).toEqual(['HEARTBEAT_LOST', []])
        expect((lost?.atMs ?? 0) - lastByteMs).toBeGreaterThanOrEqual(1.5 * intervalMs - 1)
        expect((lost?.atMs ?? 0) - lastByteMs).toBeLessThanOrEqual(2 * intervalMs)
        expect(pulse.clock.timers).toBe(0)
      }),
    )
  })

  it('[SOCK 7.1] keeps these bounds for a link that comes between two checks of others', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 * intervalMs }), (laterMs) => {
        const clock = new ManualClock()
        const heartbeat = new Heartbeat(intervalMs, clock)
        const lostAtMs: number[] = []
        const watch = (): void => {
          const port = { received: 0, isPartial: false, send: () => {} } as unknown as Port
          heartbeat.watch({ port, silent: () => void lostAtMs.push(clock.now()) })
        }
        const talking = { received: 0, isPartial: false, send: () => talking.received++ }
        const first = { port: talking as unknown as Port, silent: () => void lostAtMs.push(-1) }
        heartbeat.watch(first)
        clock.advance(laterMs)
        const begunMs = clock.now()
        watch()
        clock.advance(3 * intervalMs)
        expect(lostAtMs.length).toBe(1)
        expect((lostAtMs[0] ?? 0) - begunMs).toBeGreaterThanOrEqual(1.5 * intervalMs)
        expect((lostAtMs[0] ?? 0) - begunMs).toBeLessThanOrEqual(2 * intervalMs)
        expect(clock.timers).toBe(1)
        heartbeat.forget(first)
        expect(clock.timers).toBe(0)
      }),
    )
  })

  it('[SOCK 7.1] asks a peer that has been silent, and only then', () => {
    const pulse = new Pulse()
    for (let i = 0; i < 20; i++) {
      pulse.received += 100
      pulse.clock.advance(intervalMs / 2)
    }
    expect(pulse.pings).toBe(0)
    pulse.clock.advance(intervalMs / 2)
    expect(pulse.pings).toBe(1)
    for (let i = 0; i < 20; i++) {
      // It answers every question, and says nothing else.
      if (pulse.pings > i) pulse.received += 16
      pulse.clock.advance(intervalMs)
    }
    expect(pulse.lost).toEqual([])
  })

  it('[SOCK 7.2] finds a peer that drips: a frame begun that hardly grows', () => {
    const pulse = new Pulse()
    pulse.isPartial = true
    const beganMs = pulse.clock.now()
    for (let i = 0; i < 100 && pulse.lost.length === 0; i++) {
      pulse.received += 10
      pulse.clock.advance(intervalMs / 10)
    }
    expect(pulse.lost.map(({ code }) => code)).toEqual(['FRAME_TIMEOUT'])
    expect((pulse.lost[0]?.atMs ?? 0) - beganMs).toBeLessThanOrEqual(2 * intervalMs)
  })

  it('[SOCK 7.2] leaves a peer alone whose frames are slow but grow, or come to an end', () => {
    const slow = new Pulse()
    slow.isPartial = true
    for (let i = 0; i < 50; i++) {
      slow.received += 1_024
      slow.clock.advance(intervalMs / 2)
    }
    const halting = new Pulse()
    for (let i = 0; i < 50; i++) {
      halting.isPartial = i % 4 !== 0
      halting.received += 10
      halting.clock.advance(intervalMs / 2)
    }
    expect([slow.lost, halting.lost]).toEqual([[], []])
  })

  it('[SOCK 7.3] judges nobody after this process itself was held up, but by the next checks', () => {
    const pulse = new Pulse()
    for (let i = 0; i < 10; i++) pulse.clock.holdUp(5 * intervalMs)
    expect(pulse.lost).toEqual([])
    pulse.clock.advance(2 * intervalMs)
    expect(pulse.lost.map(({ code }) => code)).toEqual(['HEARTBEAT_LOST'])
  })

  it('can be stopped, and turned off', () => {
    const pulse = new Pulse()
    pulse.stop()
    const off = new Pulse(Number.POSITIVE_INFINITY)
    expect([pulse.clock.timers, off.clock.timers]).toEqual([0, 0])
    off.stop()
    off.clock.advance(100 * intervalMs)
    expect([off.lost, off.pings]).toEqual([[], 0])
  })
})
