/** Answers requests. */
import { adapterNamed } from '../adapters/registry.ts'
import type { RespondJob } from '../jobs.ts'
import type { Line } from '../line.ts'
import { absent } from './absent.ts'

export async function respond(job: RespondJob, line: Line): Promise<void> {
  const { responder = absent(job.adapter, 'responder') } = await adapterNamed(job.adapter)
  await responder(job.url)
  line.tell('ready', { url: '' })
}
