/** A bare TCP server on a free loopback port. */
import { type AddressInfo, createServer, type Socket } from 'node:net'

export async function listen(accept: (socket: Socket) => void): Promise<string> {
  const server = createServer({ noDelay: true }, (socket) => {
    // A client that is ended by force is no fault here; sockets that wait for one another's 'drain' are many.
    socket.on('error', () => {})
    socket.setMaxListeners(0)
    accept(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return String((server.address() as AddressInfo).port)
}
