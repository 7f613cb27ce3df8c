/** Holds subscriptions that nothing is published to, each on a connection of its own. */
import { adapterNamed } from '../adapters/registry.ts'
import type { IdleJob } from '../jobs.ts'
import type { Line } from '../line.ts'
import { absent } from './absent.ts'

const atOnce = 20

export async function idle(job: IdleJob, line: Line): Promise<void> {
  const { subscriber = absent(job.adapter, 'subscriber') } = await adapterNamed(job.adapter)
  let count = 0
  const open = async (): Promise<void> => {
    const topic = `bench.${count++}`
    await (await subscriber(job.url)).subscribe([topic], job.style, { take: () => {}, count: () => {} })
  }
  const grow = async (to: number): Promise<void> => {
    while (count < to) await Promise.all(Array.from({ length: Math.min(atOnce, to - count) }, open))
  }
  void line.hear('describe').then(() => line.tell('description', { text: `holds ${count}` }))
  await grow(job.first)
  line.tell('ready', { url: '' })
  await line.hear('go')
  await grow(job.first + job.more)
  line.tell('done', { figures: {} })
}
