/** An `observe` that throws is a mistake of its program: it is told, and costs neither the link nor anybody who waits. */
import { type Clock, type Consumer, newId, Server, systemClock } from 'signalbox/socket'
import { expect, it } from 'vitest'
import { bytes, failure, text } from '../tools/house.ts'
import { until } from '../tools/until.ts'

/** Keeps what is thrown in turns, which would else end the process. */
function catching(thrown: unknown[]): Clock {
  const turn = (call: () => void): void =>
    systemClock.turn(() => {
      try {
        call()
      } catch (error) {
        thrown.push(error)
      }
    })
  return { ...systemClock, turn }
}

function fails(): void {
  throw new Error('of the program')
}

it('who joins and leaves meets an observer that throws, and requests are answered or fail all the same', async () => {
  const thrown: unknown[] = []
  await using server = await Server.listen({ graceMs: 0 })
  const clock = catching(thrown)
  const [near, far] = [server.link({ clock }), server.link({ clock })]
  const channels = [newId(), newId()]
  const consumers: Consumer[] = []
  for (const channel of channels) {
    const provider = await far.provider(channel, { observe: fails })
    provider.serve(({ payload }) => (payload.length === 0 ? new Promise(() => {}) : payload))
    consumers.push(await near.consumer(channel, { observe: fails }))
  }
  for (const consumer of consumers) expect(text(await consumer.send(bytes('a')))).toBe('a')
  const lost = consumers.map((consumer) => failure(consumer.send(new Uint8Array(0), { timeoutMs: 60_000 })))
  await until('they are sent', () => consumers.every(({ outstanding }) => outstanding === 1))
  await far.close()
  for (const { code } of await Promise.all(lost)) expect(code).not.toBe('TIMEOUT')
  expect(near.isOpen).toBe(true)
  await until('all is told', () => thrown.length === 6)
  await near.close()
})
