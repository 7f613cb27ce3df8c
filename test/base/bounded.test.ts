/** Bounded waiting: it settles as the promise does, or with TIMEOUT or ABORTED before, and leaves nothing behind. */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { bounded } from '../../base/bounded.ts'
import { deferred } from '../../base/deferred.ts'
import { ManualClock } from '../socket/tools/manual-clock.ts'

const never = new Promise<never>(() => {})

describe('bounded waiting', () => {
  it('settles as what it waits for, and leaves no timer and no listener', async () => {
    const clock = new ManualClock()
    const { signal } = new AbortController()
    expect(await bounded(Promise.resolve(5), { timeoutMs: 10, signal }, clock)).toBe(5)
    await expect(bounded(Promise.reject(new Error('no')), { timeoutMs: 10, signal }, clock)).rejects.toThrow('no')
    expect([clock.timers, getEventListeners(signal, 'abort').length]).toEqual([0, 0])
  })

  it('ends with TIMEOUT, and then a late failure of what it waited for concerns nobody', async () => {
    const clock = new ManualClock()
    const late = deferred<void>()
    const waiting = bounded(late.promise, { timeoutMs: 10 }, clock)
    clock.advance(10)
    await expect(waiting).rejects.toMatchObject({ code: 'TIMEOUT', retryable: true })
    late.reject(new Error('late'))
    expect(clock.timers).toBe(0)
  })

  it('ends with ABORTED and the reason, also when it was aborted before', async () => {
    const clock = new ManualClock()
    const stop = new AbortController()
    const waiting = bounded(never, { signal: stop.signal }, clock)
    stop.abort('reason')
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', cause: 'reason' })
    const again = bounded(never, { signal: stop.signal }, clock)
    await expect(again).rejects.toMatchObject({ code: 'ABORTED', cause: 'reason' })
  })

  it('waits for ever when asked to', async () => {
    const clock = new ManualClock()
    const result = deferred<number>()
    const waiting = bounded(result.promise, {}, clock)
    clock.advance(10_000_000)
    result.resolve(1)
    expect([await waiting, clock.timers]).toEqual([1, 0])
  })
})
