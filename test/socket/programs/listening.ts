/**
 * Listens on a unix socket until it is killed: `listening <path>`. Says 'ready'.
 */
import { Server } from 'signalbox/socket'

await Server.listen({ path: process.argv[2] as string })
console.log('ready')
