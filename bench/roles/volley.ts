/**
 * Plays one message back and forth with another process: never more than one is in flight, and each leg, from publish
 * to delivery, is a sample. The clock that both read counts since the machine was started.
 */
import { adapterNamed } from '../adapters/registry.ts'
import type { PublishSide } from '../contract.ts'
import type { VolleyJob } from '../jobs.ts'
import type { Line } from '../line.ts'
import { Window } from '../window.ts'
import { absent } from './absent.ts'

const forthTopic = 'bench.0'
const backTopic = 'bench.1'

export async function volley(job: VolleyJob, line: Line): Promise<void> {
  const adapter = await adapterNamed(job.adapter)
  const { publisher = absent(job.adapter, 'publisher'), subscriber = absent(job.adapter, 'subscriber') } = adapter
  const [from, to] = job.serves ? [backTopic, forthTopic] : [forthTopic, backTopic]
  const side = await publisher(job.url)
  const samples: number[] = []
  const window = new Window(
    job,
    1,
    () => line.tell('begin', null),
    (messages) => {
      line.tell('end', { messages })
      line.tell('done', { figures: { player: window.figures().cpuUs }, samples })
    },
  )
  const take = (payload: Uint8Array): void => {
    const sample = nowUs() - new DataView(payload.buffer, payload.byteOffset).getFloat64(0, true)
    if (window.isOpen) samples.push(sample)
    window.tick(1)
    // The other may not have seen enough yet: the game goes on until both processes are ended.
    hit(side, to, job.size)
  }
  await (await subscriber(job.url)).subscribe([from], job.style, { take, count: () => {} })
  line.tell('ready', { url: '' })
  void line.hear('describe').then(() => line.tell('description', { text: `took ${window.messages}` }))
  await line.hear('go')
  if (job.serves) hit(side, to, job.size)
}

function hit(side: PublishSide, topic: string, size: number): void {
  const payload = Buffer.alloc(size)
  payload.writeDoubleLE(nowUs(), 0)
  side.post(topic, payload)
}

function nowUs(): number {
  return Number(process.hrtime.bigint()) / 1000
}
