/**
 * Makes a socket that a server has accepted read into an intake.
 *
 * Floor 1. Node only. `net.connect` lets a program say where received bytes go, `net.createServer` does not. So the
 * connection is handed to a socket that is made here. The handle of a connection is not in Node's documentation; but
 * `new Socket({ handle })` is how Node makes every socket that it accepts, and has been since before Node 20. Where it
 * is not as expected the accepted socket stays as it is, and its port reads in chunks. What this is worth is in
 * docs/decisions/0012-reading.md.
 */
import { Socket, type SocketConstructorOpts } from 'node:net'
import { Intake } from './intake.ts'

/** Reads nothing of `accepted` before it has been handed over: the server must be made with `pauseOnConnect`. */
export function withIntake(accepted: Socket, highWaterMark: number): { socket: Socket; intake: Intake | undefined } {
  const inner = accepted as unknown as { _handle: { readonly useUserBuffer?: unknown } | null }
  const handle = inner._handle
  if (typeof handle?.useUserBuffer !== 'function') {
    accepted.resume()
    return { socket: accepted, intake: undefined }
  }
  // Without its handle it has nothing to close, and the server does not wait for it.
  inner._handle = null
  accepted.destroy()
  const intake = new Intake()
  const options = { handle, onread: intake.onread, highWaterMark, readable: true, writable: true }
  return { socket: new Socket(options as SocketConstructorOpts), intake }
}
