/** Requests and answers: how long one takes, and how many a second with many outstanding. */
import { type Child, withChildren } from '../child.ts'
import type { Adapter } from '../contract.ts'
import type { Timing } from '../jobs.ts'
import { startService } from '../service.ts'
import { brokerCpu } from './delivery.ts'
import { type Figure, longWarmUp, type Measurement, patienceMs, type Workload } from './workload.ts'

const size = 128
const latency: readonly [Figure, Figure] = [
  { name: 'p50', label: 'p50, us', unit: 'us' },
  { name: 'p99', label: 'p99, us', unit: 'us' },
]
const rate: Figure = { name: 'rate', label: 'req/s', unit: 'per second' }
const cpu: readonly Figure[] = [
  { name: 'requester', label: 'CPU us: requester', unit: 'us' },
  { name: 'broker', label: 'broker', unit: 'us' },
]

export function requests(name: string, title: string, outstanding: number): Workload {
  async function measure(adapter: Adapter, _style: unknown, given: Timing): Promise<Measurement> {
    const timing = outstanding > 1 ? given : longWarmUp(given)
    const service = await startService(adapter)
    const work = { adapter: adapter.name, url: service.url }
    try {
      return await withChildren([{ role: 'respond', ...work }], () =>
        withChildren([{ role: 'request', ...work, ...timing, size, outstanding }], (requester) =>
          follow(requester as Child, service.pid, patienceMs(timing)),
        ),
      )
    } finally {
      await service.stop()
    }
  }

  return {
    name,
    title,
    figures: outstanding > 1 ? [rate, ...latency, ...cpu] : [...latency, rate, ...cpu],
    styles: (adapter) => (adapter.requester && adapter.responder ? adapter.styles.slice(0, 1) : []),
    measure,
  }
}

async function follow(requester: Child, brokerPid: number, patience: number): Promise<Measurement> {
  const broker = brokerCpu(requester, brokerPid)
  requester.line.tell('go', null)
  const { figures, lost = 0 } = await requester.line.hear('done', patience)
  return { figures: { ...figures, broker: await broker }, lost, duplicated: 0 }
}
