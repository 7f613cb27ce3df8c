/** A broker: with a server of its own, or attached to the one at `attach`. */
import { Broker } from 'signalbox'
import { argument, obey, rssMiB, say } from './stage.ts'

const { attach, ...options } = argument
const broker = await (attach === undefined ? Broker.listen(options) : Broker.attach(attach, options))
let peak = rssMiB()
setInterval(() => {
  peak = Math.max(peak, rssMiB())
}, 20).unref()

obey({
  stats: () => ({ ...broker.stats(), rss: rssMiB(), peak }),
  close: () => broker.close(),
})
say({ ready: true, url: broker.url })
