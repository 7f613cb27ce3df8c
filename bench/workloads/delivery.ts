/** Publishers at full speed, subscribers that count: messages per second and CPU time per message. */
import { type Child, withChildren } from '../child.ts'
import type { Adapter, Style } from '../contract.ts'
import type { Timing } from '../jobs.ts'
import { cpuOf } from '../process-usage.ts'
import { startService } from '../service.ts'
import { type Measurement, patienceMs, type Workload } from './workload.ts'

export interface Delivery {
  readonly name: string
  readonly title: string
  readonly size: number
  readonly publishers?: number
  readonly subscribers?: number
  readonly topics?: number
  /** Patterns for many topics: one for all of them, or one for each. */
  readonly patterns?: 'one' | 'each'
}

export function delivery(spec: Delivery): Workload {
  const { name, title, size, publishers = 1, subscribers = 1, topics: topicCount = 1 } = spec
  const topics = Array.from({ length: topicCount }, (_, number) => `bench.${number}`)
  const isPlain = publishers === 1 && subscribers === 1 && topicCount === 1
  const styles = (adapter: Adapter): readonly Style[] => {
    if (!adapter.publisher || !adapter.subscriber) return []
    return isPlain || adapter.hasRoutes ? adapter.styles : []
  }

  async function measure(adapter: Adapter, style: Style, timing: Timing): Promise<Measurement> {
    const service = await startService(adapter)
    const { url } = service
    const common = { adapter: adapter.name, url, size, ...timing }
    const patterns = patternsFor(adapter, topics, spec.patterns)
    const lanes = publishers > 1 ? publishers : topicCount
    try {
      return await withChildren(
        [
          { role: 'receive', ...common, patterns, style, subscribers, lanes },
          { role: 'publish', ...common, topics, publishers },
        ],
        (receiver, sender) => follow(receiver as Child, sender as Child, service.pid, patienceMs(timing)),
      )
    } finally {
      await service.stop()
    }
  }

  return {
    name,
    title,
    figures: [
      { name: 'rate', label: subscribers > 1 ? 'deliveries/s' : 'msg/s', unit: 'per second' },
      { name: 'publisher', label: 'CPU us: pub', unit: 'us' },
      { name: 'broker', label: 'broker', unit: 'us' },
      { name: 'subscriber', label: 'sub', unit: 'us' },
    ],
    styles,
    measure,
  }
}

function patternsFor(adapter: Adapter, topics: readonly string[], patterns: Delivery['patterns']): readonly string[] {
  if (patterns === undefined || !adapter.hasPatterns) return topics
  return patterns === 'one' ? ['bench.*'] : topics.map((topic) => topic.replace('bench', '*'))
}

async function follow(receiver: Child, sender: Child, brokerPid: number, patience: number): Promise<Measurement> {
  const cpu = brokerCpu(receiver, brokerPid)
  sender.line.tell('go', null)
  const sent = await sender.line.hear('sent', patience)
  receiver.line.tell('expect', { lanes: sent.lanes })
  const { figures, lost = 0, duplicated = 0, complaint } = await receiver.line.hear('done', patience)
  return { figures: { ...figures, publisher: sent.cpuUs, broker: await cpu }, lost, duplicated, complaint }
}

/** CPU microseconds of a server per message that a process counts between its 'begin' and its 'end'. */
export async function brokerCpu({ line }: Child, pid: number): Promise<number> {
  try {
    await line.hear('begin')
    const before = cpuOf(pid)
    const { messages } = await line.hear('end')
    return (cpuOf(pid) - before) / messages
  } catch {
    // The process has failed, and says so to whoever waits for what it measured.
    return Number.NaN
  }
}
