/**
 * Many clients that each have little to say: a thousand connections, a message here and there. What a message costs on
 * its own is what counts here: the reads and writes, the turns of the loop, and the garbage.
 */
import { type Child, withChildren } from '../child.ts'
import type { Adapter, Style } from '../contract.ts'
import type { Job, Timing } from '../jobs.ts'
import { startService } from '../service.ts'
import { brokerCpu } from './delivery.ts'
import { longWarmUp, type Measurement, patienceMs, type Workload } from './workload.ts'

const size = 128
const clients = 1_000

export interface SmallClients {
  readonly name: string
  readonly title: string
  /** They write to each other by twos, and not round a ring, where messages gather. */
  readonly inPairs: boolean
  /** Another process takes one core meanwhile. */
  readonly isBusy: boolean
}

export function smallClients({ name, title, inPairs, isBusy }: SmallClients): Workload {
  async function measure(adapter: Adapter, style: Style, given: Timing): Promise<Measurement> {
    const timing = longWarmUp(given)
    const service = await startService(adapter)
    const work = { adapter: adapter.name, url: service.url, style, ...timing }
    const ring: Job = { role: 'ring', ...work, clients, inPairs, size }
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
