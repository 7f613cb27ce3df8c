/**
 * Makes a socket that a server has accepted read into an intake.
 *
 * Floor 2. `net.connect` lets a program say where received bytes go (`onread`), `net.createServer` does not. What `onread`
 * sets is put onto the accepted socket here: three properties whose names are symbols of Node's, found on a socket that
 * was made with it. They are not in Node's documentation, but the same in every version since `onread` came with Node 12.
 * Where something is not as expected the socket stays as it is, and its port reads in chunks. What this is worth is in
 * docs/decisions/0012-reading.md.
 */
import { Socket } from 'node:net'
import { Intake } from './intake.ts'

interface Reading {
  readonly buffer: symbol
  readonly callback: symbol
  readonly next: symbol
}

const reading = findReading()

/** Reads nothing of `accepted` before it has an intake: the server must be made with `pauseOnConnect`. */
export function withIntake(accepted: Socket): Intake | undefined {
  const inner = accepted as unknown as Record<symbol, unknown> & {
    readonly _handle: { useUserBuffer?(buffer: Uint8Array): void } | null
  }
  let intake: Intake | undefined
  if (reading && typeof inner._handle?.useUserBuffer === 'function') {
    intake = new Intake()
    const { buffer, callback } = intake.onread
    const first = buffer()
    inner[reading.buffer] = first
    inner[reading.next] = buffer
    inner[reading.callback] = callback
    inner._handle.useUserBuffer(first)
  }
  accepted.resume()
  return intake
}

/** What `onread` sets. Undefined where it is not all there. */
function findReading(): Reading | undefined {
  const model = new Socket({ onread: { buffer: new Uint8Array(1), callback: () => true } } as object)
  const symbols = Object.getOwnPropertySymbols(model)
  const named = (name: string): symbol | undefined => symbols.find(({ description }) => description === name)
  const [buffer, callback, next] = [named('kBuffer'), named('kBufferCb'), named('kBufferGen')]
  return buffer && callback && next ? { buffer, callback, next } : undefined
}
