/** A server that welcomes a link and drops it at once is asked less and less often, until a connection lasts. */
import { Link, type LinkEvent } from 'signalbox/socket'
import { expect, it } from 'vitest'
import { ManualClock } from '../tools/manual-clock.ts'
import { ScriptedServer } from '../tools/scripted-server.ts'
import { turns, until } from '../tools/until.ts'

it('[SOCK 3.5] waits begin again from the shortest only after a connection that lasted for maxMs', async () => {
  const server = new ScriptedServer()
  // Nearly the ceiling of every wait.
  const clock = Object.assign(new ManualClock(), { random: () => 1 - 2 ** -30 })
  const waits: number[] = []
  const observe = ({ type, delayMs = 0 }: LinkEvent): void => {
    if (type === 'reconnecting') waits.push(Math.round(delayMs))
  }
  const options = { ...server.reach, reconnect: {}, heartbeatMs: Number.POSITIVE_INFINITY, clock, observe }
  await using link = await Link.connect(server.url, options)
  const drop = async (): Promise<void> => {
    server.last.port.destroy()
    await until('it is lost', () => !link.isOpen && waits.length > 0)
    clock.advance(5_000)
    await until('it is back', () => link.isOpen)
    await turns(1)
  }
  for (let i = 0; i < 8; i++) await drop()
  expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
  clock.advance(4_999)
  await drop()
  expect(waits.at(-1)).toBe(5_000)
  clock.advance(5_001)
  await drop()
  await drop()
  expect(waits.slice(-2)).toEqual([100, 200])
})
