/**
 * What broke: what one socket had sent in one piece was handed to a program's own link in one go. Of 2,000 small publishes,
 * each for 6,000 subscriptions, a server read and said nothing for half a minute, and every other link was given up.
 */
import { expect, it } from 'vitest'
import { joinedPorts } from '../../../socket/transport/in-process.ts'
import type { PortOwner } from '../../../socket/transport/port.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { ManualClock } from '../tools/manual-clock.ts'
import { turns } from '../tools/until.ts'

it('frames that take long to handle are handed over in portions, in order, and others have their turn between', async () => {
  const clock = new ManualClock()
  const [near, far] = joinedPorts(clock)
  const ids: number[] = []
  /** How many had been handed over at each turn of the event loop. */
  const atTurns = new Set<number>()
  const watch = (): void => {
    atTurns.add(ids.length)
    if (ids.length < 20) setImmediate(watch)
  }
  const owner: Partial<PortOwner> = {
    frame(_kind, _flags, _stream, id) {
      ids.push(id)
      clock.pass(15)
    },
  }
  far.attach(owner as PortOwner)
  for (let id = 1; id <= 20; id++) near.send(Kind.DATA, 0, 1, id, new Uint8Array(0), 0, 0)
  setImmediate(watch)
  await turns(40)
  expect(ids).toEqual(Array.from({ length: 20 }, (_, at) => at + 1))
  expect(atTurns.size).toBeGreaterThan(8)
})

it('what is left is bounded, and keeps no large buffer alive that it came in', async () => {
  const clock = new ManualClock()
  const [near, far] = joinedPorts(clock)
  const buffers: number[] = []
  let left = 0
  const owner: Partial<PortOwner> = {
    frame(_kind, _flags, _stream, id, bytes) {
      left--
      if (id === 2) buffers.push(bytes.buffer.byteLength)
      clock.pass(15)
    },
  }
  far.attach(owner as PortOwner)
  const send = (id: number, bytes: Uint8Array, length: number): void => {
    left++
    near.send(Kind.DATA, 0, 1, id, bytes, 0, length)
  }
  for (let i = 0; i < 200; i++) send(1, new Uint8Array(60_000), 60_000)
  let most = 0
  for (let i = 0; left > 0; i++) {
    await new Promise((resolve) => setImmediate(resolve))
    most = Math.max(most, left)
    // What comes without credit, ever more.
    if (i < 20) for (let more = 0; more < 20; more++) send(2, new Uint8Array(256 * 1024), 100)
  }
  expect(most * 60_000).toBeLessThan(10 * 1024 * 1024 + 20 * 20 * 60_000)
  expect(buffers).toHaveLength(400)
  expect(buffers.filter((size) => size > 8 * 1024).length).toBeLessThan(40)
})
