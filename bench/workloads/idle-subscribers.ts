/**
 * What the server's memory grows by when a thousand subscribers come, each on a connection of its own, and nothing
 * else.
 *
 * What is to be seen is what they hold, so it is taken at rest: after some quiet seconds, and after a server in Node has
 * collected its garbage (others cannot be told to). Before that V8 keeps a young generation that grew while they came,
 * by steps of megabytes that have little to do with what a subscriber takes: the second figure, a second after the last.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type Child, withChildren } from '../child.ts'
import type { Adapter, Style } from '../contract.ts'
import { memoryOf } from '../process-usage.ts'
import { type Service, startService } from '../service.ts'
import type { Measurement, Workload } from './workload.ts'

/** So many come before the first reading, so that what the server makes once is there. */
const first = 50
const more = 1_000
const settleMs = 1_000
/** V8 gives young memory back when it collects after five seconds in which little was allocated. */
const restMs = 6_000
/** What a start leaves, such as code that is not run again, goes only after some. */
const collections = 4
const patienceMs = 60_000

export const idleSubscribers: Workload = {
  name: 'idle-subscribers',
  title: 'server memory for 1,000 idle subscribers, each on a connection of its own',
  figures: [
    { name: 'memory', label: 'MiB', unit: 'MiB' },
    { name: 'atOnce', label: 'at once', unit: 'MiB' },
  ],
  styles: (adapter) => (adapter.subscriber && adapter.hasRoutes ? adapter.styles.slice(0, 1) : []),
  measure,
}

async function measure(adapter: Adapter, style: Style): Promise<Measurement> {
  const service = await startService(adapter)
  try {
    return await withChildren(
      [{ role: 'idle', adapter: adapter.name, url: service.url, style, first, more }],
      async (holder) => {
        const { line } = holder as Child
        const before = await memoryAtRest(service)
        line.tell('go', null)
        await line.hear('done', patienceMs)
        await pause(settleMs)
        const atOnce = memoryOf(service.pid) - before
        const memory = (await memoryAtRest(service)) - before
        return { figures: { memory, atOnce }, lost: 0, duplicated: 0 }
      },
    )
  } finally {
    await service.stop()
  }
}

async function memoryAtRest(service: Service): Promise<number> {
  await pause(restMs)
  for (let i = 0; i < collections; i++) {
    await service.collect()
    await pause(settleMs)
  }
  return memoryOf(service.pid)
}
