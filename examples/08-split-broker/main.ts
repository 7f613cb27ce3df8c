/**
 * The two layers in processes of their own: a server, a broker that attaches to it, a publisher and a subscriber.
 * Starts all four, and a second publisher; to do that by hand, give each of the others the address that server.ts
 * prints.
 */
import { start } from '../start.ts'

const program = (name: string): URL => new URL(`${name}.ts`, import.meta.url)

const server = await start(program('server'))
const broker = await start(program('broker'), server.said)

const early = await start(program('publisher'), server.said, '19,21')
await early.ended
const subscriber = await start(program('subscriber'), server.said)
const late = await start(program('publisher'), server.said, '23,25')

const codes = [await late.ended, await subscriber.ended]
broker.process.disconnect()
codes.push(await broker.ended)
server.process.disconnect()
codes.push(await server.ended)
console.log(`All ended: ${codes.join(' ')}`)
