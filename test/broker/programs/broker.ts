/** A broker: with a server of its own, or attached to the one at `attach`. */
import { Broker } from 'signalbox'
import { argument, obey, rssMiB, say } from './stage.ts'

const { attach, ...options } = argument
const broker = await (attach === undefined ? Broker.listen(options) : Broker.attach(attach, options))
let peak = rssMiB()
setInterval(() => {
  peak = Math.max(peak, rssMiB())
}, 20).unref()

/** What lives after a collection: the heap, and the buffers outside of it. Needs `--expose-gc`. */
function livingMiB(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return Math.round((heapUsed + external) / 1024 / 1024)
}

obey({
  living: () => ({ living: livingMiB() }),
  stats: () => ({ ...broker.stats(), rss: rssMiB(), peak }),
  close: () => broker.close(),
})
say({ ready: true, url: broker.url })
