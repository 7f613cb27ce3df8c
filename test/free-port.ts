/**
 * A TCP port of this machine that nobody listens on. It is below those that systems give out for port 0, if not told
 * otherwise, so no test that runs meanwhile gets the same one between this look and its use.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'

const first = 20_000
const last = 32_000

export async function freePort(): Promise<number> {
  for (;;) {
    const port = first + Math.floor(Math.random() * (last - first))
    const server = createServer().listen(port, '127.0.0.1')
    const error = await once(server, 'listening').then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error,
    )
    if (error?.code === 'EADDRINUSE') continue
    if (error) throw error
    server.close()
    await once(server, 'close')
    return port
  }
}
