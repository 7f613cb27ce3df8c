/**
 * A client made of a bare socket and the text of PROTOCOL.md: it can say whatever it likes.
 */
import { connect, type Socket } from 'node:net'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { decodeFrames, encodeFrame, json, type NaiveFrame } from '../wire/naive-frame.ts'
import { until } from './until.ts'

export const goodHello = () => ({ magic: 'signalbox', version: 1, name: 'raw', session: newId() })

/** A first frame as it should be. */
export const hello = (): Buffer => encodeFrame({ kind: Kind.HELLO, payload: json(goodHello()) })

export class RawPeer implements AsyncDisposable {
  readonly socket: Socket
  readonly frames: NaiveFrame[] = []
  #rest: Buffer = Buffer.alloc(0)

  constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      const { frames, rest } = decodeFrames(Buffer.concat([this.#rest, chunk]))
      this.frames.push(...frames)
      this.#rest = rest
    })
  }

  static async connect(url: string): Promise<RawPeer> {
    const { port } = new URL(url)
    const peer = new RawPeer(connect(Number(port), '127.0.0.1'))
    await until('it has connected', () => !peer.socket.connecting)
    return peer
  }

  /** A peer that has been welcomed. */
  static async welcomed(url: string): Promise<RawPeer> {
    const peer = await RawPeer.connect(url)
    peer.write(hello())
    await peer.next(Kind.WELCOME)
    return peer
  }

  write(bytes: Uint8Array): void {
    this.socket.write(bytes)
  }

  send(frame: Partial<NaiveFrame> & { readonly kind: number }): void {
    this.write(encodeFrame(frame))
  }

  /** Opens a channel end as number `number`. */
  open(number: number, role: 'consumer' | 'provider', channelId: string, shared = false): void {
    this.send({ kind: Kind.OPEN, stream: number, payload: json({ role, channelId, shared }) })
  }

  /** Waits for the first frame of a kind. */
  next(kind: number): Promise<NaiveFrame> {
    return until(`a frame of kind ${kind} comes`, () => this.frames.find((frame) => frame.kind === kind))
  }

  /** The code with which the server said farewell, once it has closed the connection. */
  async dismissed(): Promise<string> {
    await until('the server closes the connection', () => this.socket.closed)
    const bye = this.frames.find(({ kind }) => kind === Kind.BYE)
    return bye === undefined ? 'no BYE' : JSON.parse(bye.payload.toString()).code
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy()
  }
}
