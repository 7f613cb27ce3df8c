/** Finding the subscriptions of a topic among very many: this project's matcher on its own. */
import { type Child, withChildren } from '../child.ts'
import type { Measurement, Workload } from './workload.ts'

const patienceMs = 60_000

export function matching(name: string, title: string, subscriptions: number): Workload {
  return {
    name,
    title,
    figures: [
      { name: 'p50', label: 'p50, us', unit: 'us' },
      { name: 'p99', label: 'p99, us', unit: 'us' },
      { name: 'cachedP50', label: 'cached p50', unit: 'us' },
      { name: 'cachedP99', label: 'cached p99', unit: 'us' },
    ],
    styles: (adapter) => (adapter.name === 'signalbox' ? adapter.styles.slice(0, 1) : []),
    measure: () => withChildren([{ role: 'match', subscriptions }], (matcher) => follow(matcher as Child)),
  }
}

async function follow({ line }: Child): Promise<Measurement> {
  line.tell('go', null)
  const { figures, lost = 0 } = await line.hear('done', patienceMs)
  return { figures, lost, duplicated: 0 }
}
