/**
 * Provides channels and counts what comes on each, in order: `counting-provider <url> <channel id> ...`. Says 'ready',
 * 'connected' for every connection, and the counts when it is asked.
 */
import { createInterface } from 'node:readline'
import { Link, type Provider } from 'signalbox/socket'

const [url, ...ids] = process.argv.slice(2)
const link = await Link.connect(url as string, {
  reconnect: { minMs: 1, maxMs: 20 },
  observe: ({ type }) => {
    if (type === 'connected') console.log('connected')
  },
})

const counts = new Map<string, number>()
const faults: string[] = []

function count(provider: Provider): void {
  const { channelId } = provider
  provider.serve(({ payload, isOneWay }) => {
    if (!isOneWay) return payload
    const number = Buffer.from(payload.buffer, payload.byteOffset, 4).readUInt32LE()
    const expected = counts.get(channelId) ?? 0
    if (number !== expected) faults.push(`${number} came in the place of ${expected}`)
    counts.set(channelId, number + 1)
    return undefined
  })
}

for (const id of ids) count(await link.provider(id))
console.log('ready')

createInterface({ input: process.stdin }).on('line', () => {
  const total = [...counts.values()].reduce((sum, each) => sum + each, 0)
  console.log(`counted ${total} ${faults.length} faults`)
})
