/**
 * Publishes `count` messages of `bytes` bytes that say which they are in their first four, when it is told to begin.
 */
import { connect } from 'signalbox'
import { argument, obey, rssMiB, say } from './stage.ts'

interface Argument {
  readonly url: string
  readonly topic: string
  readonly count: number
  readonly bytes: number
}

const { url, topic, count, bytes }: Argument = argument as never
const client = await connect(url)
let peak = rssMiB()
setInterval(() => {
  peak = Math.max(peak, rssMiB())
}, 20).unref()

obey({
  async begin() {
    const payload = new Uint8Array(bytes)
    const view = new DataView(payload.buffer)
    for (let i = 0; i < count; i++) {
      view.setUint32(0, i, true)
      await client.publish(topic, payload)
    }
    await client.flush({ timeoutMs: 60_000 })
    return { peak: Math.max(peak, rssMiB()) }
  },
})
say({ ready: true })
