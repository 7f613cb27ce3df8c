/** A loop that never awaits runs out of room, and not out of memory: what waits is bounded with its promises. */
import { expect, it } from 'vitest'
import { Broker } from '../../../broker/broker.ts'
import { until } from '../../socket/tools/until.ts'
import { Child } from '../tools/child.ts'

const count = 2_000_000

it('two million publishes in one turn, with a broker and without, fit into a small heap, and each is taken or refused', {
  timeout: 60_000,
}, async () => {
  let broker = await Broker.listen({ graceMs: 10 })
  const port = Number(new URL(broker.url).port)
  const { child } = await Child.start('flooding', { url: broker.url }, ['--max-old-space-size=192'])
  await using _ = child
  const there = await child.ask<{ refused: number }>('flood', count)
  let { told } = await child.ask<{ told: number }>('flush')
  expect([broker.stats().published + there.refused, told]).toEqual([count, there.refused])
  await broker.close()
  await until('the client has noticed', async () => !(await child.ask<{ is: boolean }>('connected')).is)
  const away = await child.ask<{ refused: number }>('flood', count)
  broker = await Broker.listen({ port, graceMs: 10 })
  told = (await child.ask<{ told: number }>('flush')).told
  expect([broker.stats().published + away.refused, told]).toEqual([count, there.refused + away.refused])
  expect(child.complaints).toBe('')
  await child.kill()
  await broker.close()
})
