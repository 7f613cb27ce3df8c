/** One message at a time: from the publish in one process to the delivery in another. */
import { type Child, withChildren } from '../child.ts'
import type { Adapter, Style } from '../contract.ts'
import type { Timing, VolleyJob } from '../jobs.ts'
import { startService } from '../service.ts'
import { percentile } from '../statistics.ts'
import { brokerCpu } from './delivery.ts'
import { longWarmUp, type Measurement, patienceMs, type Workload } from './workload.ts'

const size = 128

export const lonePublish: Workload = {
  name: 'lone-publish',
  title: 'a lone publish to a lone subscriber, one in flight, 128 B',
  figures: [
    { name: 'p50', label: 'p50, us', unit: 'us' },
    { name: 'p99', label: 'p99, us', unit: 'us' },
    { name: 'player', label: 'CPU us: client', unit: 'us' },
    { name: 'broker', label: 'broker', unit: 'us' },
  ],
  styles: (adapter) => (adapter.publisher && adapter.subscriber && adapter.hasRoutes ? adapter.styles.slice(0, 1) : []),
  measure,
}

async function measure(adapter: Adapter, style: Style, given: Timing): Promise<Measurement> {
  const timing = longWarmUp(given)
  const service = await startService(adapter)
  const job = { role: 'volley', adapter: adapter.name, url: service.url, style, size, ...timing } as const
  const jobs: readonly VolleyJob[] = [
    { ...job, serves: true },
    { ...job, serves: false },
  ]
  try {
    return await withChildren(jobs, (first, second) =>
      follow(first as Child, second as Child, service.pid, patienceMs(timing)),
    )
  } finally {
    await service.stop()
  }
}

async function follow(first: Child, second: Child, brokerPid: number, patience: number): Promise<Measurement> {
  const cpu = brokerCpu(first, brokerPid)
  first.line.tell('go', null)
  const [one, other] = await Promise.all([first, second].map((player) => player.line.hear('done', patience)))
  const samples = [...(one?.samples ?? []), ...(other?.samples ?? [])]
  // The first player counts what it takes, and the broker forwards as many again to the other.
  const broker = (await cpu) / 2
  const [p50, p99] = [percentile(samples, 0.5), percentile(samples, 0.99)]
  return { figures: { ...one?.figures, p50, p99, broker }, lost: 0, duplicated: 0 }
}
