/**
 * Many clients that each have little to say: a thousand connections, a message on each, and no two of them together.
 * What a message costs on its own is what counts here: the reads and writes, the turns of the loop, and the garbage.
 */
import { type Child, withChildren } from '../child.ts'
import type { Adapter, Style } from '../contract.ts'
import type { Job, Timing } from '../jobs.ts'
import { startService } from '../service.ts'
import { brokerCpu } from './delivery.ts'
import { longWarmUp, type Measurement, patienceMs, type Workload } from './workload.ts'

const size = 128
const clients = 1_000

/** `isBusy`: another process takes one core meanwhile. */
export function smallClients(name: string, title: string, isBusy: boolean): Workload {
  async function measure(adapter: Adapter, style: Style, given: Timing): Promise<Measurement> {
    const timing = longWarmUp(given)
    const service = await startService(adapter)
    const ring: Job = { role: 'ring', adapter: adapter.name, url: service.url, style, clients, size, ...timing }
    const spinning: readonly Job[] = isBusy ? [{ role: 'spin' }] : []
    try {
      return await withChildren([ring], (members) =>
        withChildren(spinning, () => follow(members as Child, service.pid, patienceMs(timing))),
      )
    } finally {
      await service.stop()
    }
  }

  return {
    name,
    title,
    figures: [
      { name: 'rate', label: 'msg/s', unit: 'per second' },
      { name: 'broker', label: 'CPU us: broker', unit: 'us' },
      { name: 'clients', label: 'clients', unit: 'us' },
    ],
    styles: (adapter) => (adapter.member && adapter.hasRoutes ? adapter.styles.slice(0, 1) : []),
    measure,
  }
}

async function follow(members: Child, brokerPid: number, patience: number): Promise<Measurement> {
  const cpu = brokerCpu(members, brokerPid)
  members.line.tell('go', null)
  const { figures, lost = 0, duplicated = 0, complaint } = await members.line.hear('done', patience)
  return { figures: { ...figures, broker: await cpu }, lost, duplicated, complaint }
}
