/** The status feed: every listener has its own bounded queue, and is told what it lost. */
import { describe, expect, it } from 'vitest'
import { StatusFeed } from '../../../broker/client/status.ts'

describe('a status feed', () => {
  it('gives every listener every event from its first step on, in order', async () => {
    const feed = new StatusFeed()
    feed.tell({ type: 'connected' })
    const listeners = [feed.listen(), feed.listen()]
    const first = listeners.map((listener) => listener.next())
    feed.tell({ type: 'disconnected' })
    feed.tell({ type: 'connected' })
    for (const [i, listener] of listeners.entries()) {
      expect((await first[i])?.value).toEqual({ type: 'disconnected' })
      expect((await listener.next()).value).toEqual({ type: 'connected' })
    }
  })

  it('gives an event to whoever waits for it', async () => {
    const feed = new StatusFeed()
    const next = feed.listen().next()
    feed.tell({ type: 'slow', pattern: 'a' })
    expect(await next).toEqual({ value: { type: 'slow', pattern: 'a' }, done: false })
  })

  it('holds a thousand events for a listener that does not read, and says how many it lost', async () => {
    const feed = new StatusFeed()
    const listener = feed.listen()
    const first = listener.next()
    feed.tell({ type: 'connected' })
    await first
    for (let attempt = 1; attempt <= 1_005; attempt++) feed.tell({ type: 'reconnecting', attempt, delayMs: 1 })
    expect((await listener.next()).value).toEqual({ type: 'reconnecting', attempt: 6, delayMs: 1, missed: 5 })
    expect((await listener.next()).value).toEqual({ type: 'reconnecting', attempt: 7, delayMs: 1 })
    let last: unknown
    for (let i = 0; i < 998; i++) last = (await listener.next()).value
    expect(last).toEqual({ type: 'reconnecting', attempt: 1_005, delayMs: 1 })
  })

  it('ends every listener, after what it has not read', async () => {
    const feed = new StatusFeed()
    const [one, two] = [feed.listen(), feed.listen()]
    const waiting = [one.next(), two.next()]
    feed.tell({ type: 'connected' })
    feed.tell({ type: 'closed' })
    feed.end()
    expect((await waiting[0])?.value).toEqual({ type: 'connected' })
    expect((await waiting[1])?.value).toEqual({ type: 'connected' })
    expect(await two.next()).toEqual({ value: { type: 'closed' }, done: false })
    expect([await one.next(), await one.next(), await two.next()]).toEqual([
      { value: { type: 'closed' }, done: false },
      { value: undefined, done: true },
      { value: undefined, done: true },
    ])
    expect((await feed.listen().next()).done).toBe(true)
  })

  it('forgets a listener whose loop was left', async () => {
    const feed = new StatusFeed()
    const listener = feed.listen()
    setImmediate(() => feed.tell({ type: 'connected' }))
    for await (const { type } of listener) {
      expect(type).toBe('connected')
      break
    }
    feed.tell({ type: 'disconnected' })
    expect((await listener.next()).done).toBe(true)
  })

  it('gives as many events as were asked for at once', async () => {
    const feed = new StatusFeed()
    const listener = feed.listen()
    const steps = [listener.next(), listener.next()]
    feed.tell({ type: 'disconnected' })
    feed.tell({ type: 'connected' })
    expect((await Promise.all(steps)).map(({ value }) => value.type)).toEqual(['disconnected', 'connected'])
  })

  it('holds nothing for a listener that was never read', () => {
    const feed = new StatusFeed()
    feed.listen()
    expect(feed.isHeard).toBe(false)
  })
})
