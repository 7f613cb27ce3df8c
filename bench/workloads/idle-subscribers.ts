/**
 * What the server's memory grows by when a thousand subscribers come, each on a connection of its own, and nothing
 * else.
 */
import { type Child, withChildren } from '../child.ts'
import type { Adapter, Style } from '../contract.ts'
import { memoryOf } from '../process-usage.ts'
import { startService } from '../service.ts'
import type { Measurement, Workload } from './workload.ts'

/** So many come before the first reading, so that what the server makes once is there. */
const first = 50
const more = 1_000
const settleMs = 1_000
const patienceMs = 60_000

export const idleSubscribers: Workload = {
  name: 'idle-subscribers',
  title: 'server memory for 1,000 idle subscribers, each on a connection of its own',
  figures: [{ name: 'memory', label: 'MiB', unit: 'MiB' }],
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
        await settled()
        const before = memoryOf(service.pid)
        line.tell('go', null)
        await line.hear('done', patienceMs)
        await settled()
        const memory = ((memoryOf(service.pid) - before) / more) * 1_000
        return { figures: { memory }, lost: 0, duplicated: 0 }
      },
    )
  } finally {
    await service.stop()
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, settleMs))
}
