/** Waiting for credit, with an end to it, as often as one likes. */
import { newId, Provider } from 'signalbox/socket'
import { expect, it } from 'vitest'
import { CreditWaiters } from '../../../socket/client/calling/credit-waiters.ts'
import { failure, House } from '../tools/house.ts'
import { ManualClock } from '../tools/manual-clock.ts'

it('whoever has given up waiting is forgotten, and leaves no timer', async () => {
  const clock = new ManualClock()
  const waiters = new CreditWaiters()
  const aborted = new AbortController()
  const given = [waiters.wait({ timeoutMs: 5 }, clock), waiters.wait({ signal: aborted.signal }, clock)]
  const patient = waiters.wait({ timeoutMs: 50 }, clock)
  expect(waiters.size).toBe(3)
  clock.advance(5)
  aborted.abort()
  expect((await Promise.all(given.map(failure))).map(({ code }) => code)).toEqual(['TIMEOUT', 'ABORTED'])
  expect([waiters.size, clock.timers]).toEqual([1, 1])
  waiters.resolve()
  await patient
  expect([waiters.size, clock.timers]).toEqual([0, 0])
})

it('Provider.connect that is aborted while it opens rejects with ABORTED', async () => {
  await using house = await House.open('tcp', { authorise: () => new Promise<boolean>(() => {}) })
  const controller = new AbortController()
  const refused = failure(Provider.connect(house.server.url, newId(), { signal: controller.signal }))
  await new Promise((resolve) => setTimeout(resolve, 50))
  controller.abort()
  expect((await refused).code).toBe('ABORTED')
})
