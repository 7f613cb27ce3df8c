/** Sends requests, so many outstanding at a time, and measures how long each takes. */
import { adapterNamed } from '../adapters/registry.ts'
import type { RequestSide } from '../contract.ts'
import type { RequestJob } from '../jobs.ts'
import type { Line } from '../line.ts'
import { PayloadRing, read32, sequenceAt } from '../payload.ts'
import { percentile } from '../statistics.ts'
import { Window } from '../window.ts'
import { absent } from './absent.ts'

export async function request(job: RequestJob, line: Line): Promise<void> {
  const { requester = absent(job.adapter, 'requester') } = await adapterNamed(job.adapter)
  const requests = new Requests(await requester(job.url), job, line)
  line.tell('ready', { url: '' })
  void line.hear('describe').then(() => line.tell('description', { text: `answered ${requests.window.messages}` }))
  await line.hear('go')
  await Promise.all(Array.from({ length: job.outstanding }, () => requests.loop()))
  const { rate, cpuUs } = requests.window.figures()
  const { samples, wrong } = requests
  const [p50, p99] = [percentile(samples, 0.5), percentile(samples, 0.99)]
  line.tell('done', { figures: { p50, p99, rate, requester: cpuUs }, lost: wrong, duplicated: 0 })
}

class Requests {
  readonly window: Window
  /** Microseconds. */
  readonly samples: number[] = []
  /** Answers that belong to another request. */
  wrong = 0
  readonly #side: RequestSide
  readonly #ring: PayloadRing
  #sequence = 0

  constructor(side: RequestSide, job: RequestJob, line: Line) {
    this.#side = side
    this.#ring = new PayloadRing(job.size)
    const stride = Math.min(16, job.outstanding)
    this.window = new Window(
      job,
      stride,
      () => line.tell('begin', null),
      (messages) => line.tell('end', { messages }),
    )
  }

  async loop(): Promise<void> {
    while (!this.window.isOver) {
      const sequence = this.#sequence++
      const payload = this.#ring.next(0, sequence)
      const startMs = performance.now()
      const reply = await this.#side.request(payload)
      if (this.window.isOpen) this.samples.push((performance.now() - startMs) * 1000)
      if (read32(reply, sequenceAt) !== sequence) this.wrong++
      this.window.tick(1)
    }
  }
}
