/** Computes until its process is ended, so that what is measured has one processor less. */
import type { Line } from '../line.ts'

/** Between two slices it hears what the harness has to say. */
const sliceMs = 20

export async function spin(line: Line): Promise<void> {
  line.tell('ready', { url: '' })
  for (;;) {
    const endMs = performance.now() + sliceMs
    while (performance.now() < endMs);
    await new Promise((resolve) => setImmediate(resolve))
  }
}
