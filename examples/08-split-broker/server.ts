/** The server: a switchboard that joins channels and knows nothing of topics. */
import { Server } from 'signalbox/socket'

const server = await Server.listen({ port: 0 })
console.log(`server: listens on ${server.url}`)
process.send?.(server.url)

// Until the program that started it lets go; in a terminal, until Ctrl+C.
process.once('disconnect', () => void server.close())
