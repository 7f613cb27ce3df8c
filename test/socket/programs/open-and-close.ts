/**
 * Opens a server and all kinds of links, uses them, and closes everything: `open-and-close`. Says what the process
 * still holds afterwards that it did not hold before, and then has to end by itself.
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Consumer, Link, Provider, Server } from 'signalbox/socket'

const channelId = '0b9c1f6e-5c55-4b0e-9f2a-3f1f5a8f0c11'
const echo = ({ payload }: { payload: Uint8Array }): Uint8Array => payload
const held = (): string[] => process.getActiveResourcesInfo()

/** What is in `after` and not, or not as often, in `before`. */
function added(before: string[], after: string[]): string[] {
  const left = [...before]
  return after.filter((one) => {
    const at = left.indexOf(one)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}

const before = held()
const server = await Server.listen({ listen: [{ port: 0 }, { path: join(tmpdir(), `signalbox-${process.pid}.sock`) }] })
const [tcp, unix] = server.urls as [string, string]
const [one, two, local] = [await Link.connect(tcp), await Link.connect(unix), server.link()]
const provider = await one.provider(channelId, { mode: 'shared' })
const own = await Provider.connect(tcp, channelId, { mode: 'shared' })
const near = await local.provider(channelId, { mode: 'shared' })
for (const each of [provider, own, near]) each.serve(echo)
const consumers = [await one.consumer(channelId), await two.consumer(channelId), await local.consumer(channelId)]
const alone = await Consumer.connect(unix, channelId)
for (const consumer of [...consumers, alone]) {
  for (let i = 0; i < 10; i++) await consumer.send(new Uint8Array(i * 30_000), { timeoutMs: 60_000 })
  await consumer.send(new Uint8Array(1), { signal: AbortSignal.timeout(60_000) })
}
const unanswered = alone.send(new Uint8Array(1), { timeoutMs: 60_000 }).catch((error: Error) => error)
await alone.drain()
await own.drain()
await unanswered
await Promise.all([one.close(), two.close(), local.close()])
await server.close()
// The system takes a turn or two to forget a handle that was closed.
for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
console.log(
  `held ${JSON.stringify(added(before, held()).filter((one) => !/^(TTY|PipeWrap|FS|Message|Immediate)/.test(one)))}`,
)
