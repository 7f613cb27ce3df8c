/** Publishes at full speed for as long as the subscriber measures, and a little longer. */
import { adapterNamed } from '../adapters/registry.ts'
import type { PublishJob, Timing } from '../jobs.ts'
import type { Line } from '../line.ts'
import { SequencedFeed } from '../payload.ts'
import { absent } from './absent.ts'

/** The subscriber's window begins with its first message, so it ends a little later than the publisher would think. */
const marginSeconds = 0.4

export async function publish(job: PublishJob, line: Line): Promise<void> {
  const { publisher = absent(job.adapter, 'publisher') } = await adapterNamed(job.adapter)
  const sides = await Promise.all(Array.from({ length: job.publishers }, () => publisher(job.url)))
  const pace = new Pace(job, () => feeds.reduce((sum, feed) => sum + feed.sent, 0))
  const goesOn = (): boolean => pace.goesOn()
  const lanes = job.publishers > 1 ? 1 : job.topics.length
  const feeds = sides.map((_, at) => new SequencedFeed(job.size, at, lanes, goesOn))
  line.tell('ready', { url: '' })
  void line.hear('describe').then(() => line.tell('description', { text: `sent ${pace.sent()}` }))
  await line.hear('go')
  await Promise.all(sides.map((side, at) => side.publish(job.topics, feeds[at] as SequencedFeed)))
  line.tell('sent', { lanes: feeds.flatMap((feed) => feed.perLane()), cpuUs: pace.cpuUs() })
}

/** Says how long to go on, and takes the CPU time from the end of the warm-up. */
class Pace {
  readonly sent: () => number
  readonly #timing: Timing
  #startMs: number | undefined
  #warm: { readonly sent: number; readonly cpu: NodeJS.CpuUsage } | undefined

  constructor(timing: Timing, sent: () => number) {
    this.#timing = timing
    this.sent = sent
  }

  goesOn(): boolean {
    const now = performance.now()
    this.#startMs ??= now
    const { warmSeconds, seconds } = this.#timing
    const elapsedSeconds = (now - this.#startMs) / 1000
    if (elapsedSeconds >= warmSeconds) this.#warm ??= { sent: this.sent(), cpu: process.cpuUsage() }
    return elapsedSeconds < warmSeconds + seconds + marginSeconds
  }

  /** CPU microseconds per message since the warm-up. */
  cpuUs(): number {
    if (this.#warm === undefined) return Number.NaN
    const { user, system } = process.cpuUsage(this.#warm.cpu)
    return (user + system) / (this.sent() - this.#warm.sent)
  }
}
