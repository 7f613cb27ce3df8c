/** A client that publishes without ever awaiting, `count` times in one turn, when it is told to. */
import { connect } from 'signalbox'
import { argument, obey, say } from './stage.ts'

const { url }: { url: string } = argument as never
const client = await connect(url, { reconnect: { minMs: 5, maxMs: 20 } })
let told = 0
void (async () => {
  for await (const status of client.status()) if (status.type === 'refused') told += status.count
})()

obey({
  flood(count: number) {
    const { refused } = client.stats()
    for (let i = 0; i < count; i++) void client.publish('flood', { i })
    return { refused: client.stats().refused - refused }
  },
  async flush() {
    await client.flush({ timeoutMs: 20_000 })
    return { told }
  },
  connected: () => ({ is: client.isConnected }),
})
say({ ready: true })
