/** The program of every process that the harness starts: does the job that it is given, and tells the harness. */
import type { Job } from './jobs.ts'
import { Line } from './line.ts'

const job = JSON.parse(process.argv[2] ?? '{}') as Job
const line = new Line((note) => process.send?.(note))
process.on('message', (note) => line.take(note))
process.once('disconnect', () => process.exit(0))

/** Each role loads what it needs and no more: an adapter's packages may not be there. */
async function perform(): Promise<void> {
  switch (job.role) {
    case 'serve':
      return (await import('./roles/serve.ts')).serve(job, line)
    case 'publish':
      return (await import('./roles/publish.ts')).publish(job, line)
    case 'receive':
      return (await import('./roles/receive.ts')).receive(job, line)
    case 'request':
      return (await import('./roles/request.ts')).request(job, line)
    case 'respond':
      return (await import('./roles/respond.ts')).respond(job, line)
    case 'volley':
      return (await import('./roles/volley.ts')).volley(job, line)
    case 'ring':
      return (await import('./roles/ring.ts')).ring(job, line)
    case 'spin':
      return (await import('./roles/spin.ts')).spin(line)
    case 'idle':
      return (await import('./roles/idle.ts')).idle(job, line)
    case 'match':
      return (await import('./roles/match.ts')).match(job, line)
  }
}

try {
  await perform()
} catch (error) {
  line.tell('failed', { message: `${job.role}: ${error instanceof Error ? error.stack : error}` })
}
