/**
 * A server that does what a test tells it, reached by a transport of the test's own (`sim:`), in memory.
 */
import { type Dial, type LinkOptions, newId } from 'signalbox/socket'
import { type SocketErrorCode, socketError } from '../../../base/errors.ts'
import { joinedPorts } from '../../../socket/transport/in-process.ts'
import type { Port } from '../../../socket/transport/port.ts'
import { encodeFailure } from '../../../socket/wire/failure.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { json, type NaiveFrame } from '../wire/naive-frame.ts'
import { Recording } from './recording.ts'

/** One connection as the server sees it. */
export class ScriptedConnection extends Recording {
  readonly port: Port
  readonly #script: (frame: NaiveFrame, connection: ScriptedConnection) => void

  constructor(port: Port, script: (frame: NaiveFrame, connection: ScriptedConnection) => void) {
    super()
    this.port = port
    this.#script = script
    port.attach(this)
  }

  /** Written down first: the answer may bring the next frame at once. */
  override frame(...given: Parameters<Recording['frame']>): void {
    super.frame(...given)
    this.#script(this.frames.at(-1) as NaiveFrame, this)
  }

  /** OPEN frames so far. */
  get opens(): NaiveFrame[] {
    return this.frames.filter(({ kind }) => kind === Kind.OPEN)
  }

  say(kind: number, stream = 0, payload: Uint8Array = new Uint8Array(0), id = 0): void {
    this.port.send(kind, 0, stream, id, payload, 0, payload.length)
  }

  welcome(members: object = {}): void {
    this.say(Kind.WELCOME, 0, json({ linkId: 1, ...members }))
  }

  dismiss(code: SocketErrorCode): void {
    this.say(Kind.BYE, 0, encodeFailure(socketError(code)))
    this.port.close()
  }

  refuse(number: number, code: SocketErrorCode): void {
    this.say(Kind.REFUSED, number, encodeFailure(socketError(code)))
  }
}

export class ScriptedServer {
  readonly connections: ScriptedConnection[] = []
  /** Called with every frame that comes, of whatever connection. Welcomes, and takes every channel end. */
  onFrame: (frame: NaiveFrame, connection: ScriptedConnection) => void = (frame, connection) => {
    if (frame.kind === Kind.HELLO) connection.welcome()
    else if (frame.kind === Kind.OPEN) connection.say(Kind.OPENED, frame.stream)
  }

  /** Options of a link that reaches it at `url`. */
  readonly reach: LinkOptions & { readonly transports: { readonly sim: Dial } } = {
    reconnect: { minMs: 1, maxMs: 2 },
    transports: { sim: async (_url, settings) => this.#dialled(settings.clock) },
  }
  readonly url = `sim:${newId()}`

  /** The connection last made. */
  get last(): ScriptedConnection {
    const last = this.connections.at(-1)
    if (last === undefined) throw new Error('nobody has connected')
    return last
  }

  #dialled(clock: Parameters<typeof joinedPorts>[0]): Port {
    const [near, far] = joinedPorts(clock)
    this.connections.push(new ScriptedConnection(far, (frame, connection) => this.onFrame(frame, connection)))
    return near
  }
}
