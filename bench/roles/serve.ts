/** Runs the server of an adapter that has it in Node, and collects its garbage when it is told to. */
import { adapterNamed } from '../adapters/registry.ts'
import type { ServeJob } from '../jobs.ts'
import type { Line } from '../line.ts'

export async function serve(job: ServeJob, line: Line): Promise<void> {
  const { server } = await adapterNamed(job.adapter)
  if (server.kind !== 'node') throw new Error(`${job.adapter} has a server of its own`)
  line.tell('ready', { url: await server.start() })
  for (;;) {
    await line.hear('collect')
    globalThis.gc?.()
    line.tell('collected', null)
  }
}
