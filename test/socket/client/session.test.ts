/** A link under any run of mishaps: it has one connection at a time, comes back while it may, and ends once. */
import fc from 'fast-check'
import { type Consumer, Link, type LinkEvent, newId } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { Kind } from '../../../socket/wire/frame.ts'
import { ManualClock } from '../tools/manual-clock.ts'
import { type ScriptedConnection, ScriptedServer } from '../tools/scripted-server.ts'
import { turns } from '../tools/until.ts'

/** What a server does with a connection. */
const greetings = ['welcome', 'ignore', 'dismiss', 'reject', 'cut', 'twice'] as const
const mishaps = ['cut', 'dismiss', 'goaway', 'garbage', 'late welcome', 'wait', 'wait long', 'add', 'remove'] as const
type Greeting = (typeof greetings)[number]
type Mishap = (typeof mishaps)[number]

function greet(greeting: Greeting, connection: ScriptedConnection): void {
  if (greeting === 'welcome' || greeting === 'twice') connection.welcome()
  if (greeting === 'twice') connection.welcome()
  if (greeting === 'dismiss') connection.dismiss('SERVER_CLOSING')
  if (greeting === 'reject') connection.dismiss('UNAUTHENTICATED')
  if (greeting === 'cut') connection.port.destroy()
}

/** Events that may follow one another. */
const next: Record<string, readonly string[]> = {
  connected: ['disconnected', 'closed'],
  disconnected: ['reconnecting', 'closed'],
  reconnecting: ['connected', 'reconnecting', 'closed'],
  closed: [],
}

function check(events: readonly string[]): void {
  for (const [i, event] of events.slice(1).entries()) expect(next[events[i] as string]).toContain(event)
}

async function run(seed: number, first: Greeting[], steps: readonly Mishap[]): Promise<void> {
  const server = new ScriptedServer()
  const clock = new ManualClock(seed)
  const greetingsLeft = [...first]
  const takes = server.onFrame
  server.onFrame = (frame, connection) => {
    if (frame.kind !== Kind.HELLO) takes(frame, connection)
    else greet(connection === server.connections[0] ? 'welcome' : (greetingsLeft.shift() ?? 'welcome'), connection)
  }
  const events: string[] = []
  const observe = ({ type }: LinkEvent): void => void events.push(type)
  const options = { ...server.reach, reconnect: {}, clock, observe, connectTimeoutMs: 1_000 }
  const link = await Link.connect(server.url, options)
  const consumers: Consumer[] = []
  for (const step of steps) {
    const { last } = server
    if (step === 'cut') last.port.destroy()
    if (step === 'dismiss') last.dismiss('SERVER_CLOSING')
    if (step === 'goaway') last.say(Kind.GOAWAY)
    if (step === 'garbage') last.say(Kind.SHUT)
    if (step === 'late welcome') server.connections[0]?.welcome()
    if (step === 'wait') clock.advance(100)
    if (step === 'wait long') clock.advance(10_000)
    if (step === 'add') consumers.push(link.lazyConsumer(newId()))
    if (step === 'remove') void consumers.pop()?.close()
    await turns(1)
    check(events)
    const alive = server.connections.filter(({ ends }) => ends.length === 0)
    expect(alive.length).toBeLessThanOrEqual(1)
  }
  await link.close()
  clock.advance(60_000)
  await turns(2)
  check(events)
  expect(events.filter((event) => event === 'closed').length).toBe(1)
  expect([link.isOpen, link.stats().ends, link.stats().streams, clock.timers]).toEqual([false, 0, 0, 0])
  for (const { ends } of server.connections) expect(ends.length).toBe(1)
  for (const connection of server.connections) {
    const numbers = connection.opens.map(({ stream }) => stream)
    expect(numbers).toEqual([...new Set(numbers)].sort((one, two) => one - two))
  }
}

describe('a link', () => {
  it('keeps its order whatever happens to its connections, and leaves nothing behind', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(fc.constantFrom(...greetings), { maxLength: 8 }),
        fc.array(fc.constantFrom(...mishaps), { minLength: 1, maxLength: 25 }),
        run,
      ),
      { numRuns: 60 },
    )
  })
})
