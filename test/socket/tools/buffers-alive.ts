/** What is alive outside of the heap. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { turns } from './until.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes in array buffers that something refers to, once what is dead has been collected. */
export async function buffersAlive(): Promise<number> {
  for (let times = 0; times < 3; times++) {
    collect()
    await turns(2)
  }
  return process.memoryUsage().arrayBuffers
}
