/**
 * Connects, and leaves in one of several ways: `leaving <way> <url>`. Whatever the way, it has to end by itself.
 */
import { Consumer, Link, Provider } from 'signalbox/socket'

const [way, url] = process.argv.slice(2) as [string, string]
const channelId = '0b9c1f6e-5c55-4b0e-9f2a-3f1f5a8f0c12'

const ways: Record<string, () => Promise<void>> = {
  async closes() {
    const link = await Link.connect(url)
    const consumer = await link.consumer(channelId)
    consumer.send(new Uint8Array(5), { timeoutMs: 60_000 }).catch(() => {})
    await link.close()
  },
  async 'closes its own'() {
    const provider = await Provider.connect(url, channelId)
    const consumer = await Consumer.connect(url, channelId)
    void provider.receive()
    await Promise.all([provider.close(), consumer.close()])
  },
  async 'is refused'() {
    await Link.connect('tcp://127.0.0.1:1').catch(() => {})
  },
  async 'gives up'() {
    const link = await Link.connect(url, { reconnect: { minMs: 1, maxMs: 5, maxAttempts: 2 } })
    console.log('connected')
    await link.closed
  },
  async 'closes while it reconnects'() {
    const link = await Link.connect(url, {
      reconnect: { minMs: 60_000, maxMs: 60_000 },
      observe: ({ type }) => {
        if (type === 'reconnecting') void link.close()
      },
    })
    console.log('connected')
  },
  async 'is sent away'() {
    const link = await Link.connect(url, { reconnect: false })
    await link.provider(channelId)
    console.log('connected')
    await link.closed
  },
}

await ways[way]?.()
console.log('done')
