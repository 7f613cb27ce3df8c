/** A server without a broker. */
import { Server } from 'signalbox/socket'
import { argument, obey, rssMiB, say } from './stage.ts'

const server = await Server.listen(argument)
obey({
  stats: () => ({ ...server.stats(), rss: rssMiB() }),
  close: () => server.close(),
})
say({ ready: true, url: server.url })
