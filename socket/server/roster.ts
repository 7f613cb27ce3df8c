/**
 * Who is connected: links, connections that are still in their handshake, and which connection a link has now.
 *
 * Floor 7. Handshakes have a bound of their own, so that those who connect and say nothing take no place of those who
 * do. When all are taken, the oldest that has said nothing has to go; where all have spoken, the newest is refused.
 */
import type { Cancel } from '#base/clock'
import { type SocketErrorCode, socketError } from '#base/errors'
import type { ServerConnection } from './server-connection.ts'

export class Roster {
  readonly links = new Set<ServerConnection>()
  readonly #silent = new Set<ServerConnection>()
  readonly #judged = new Set<ServerConnection>()
  /** By the secret of the link, and by who it is: nobody ends the connection of somebody else. [SOCK 3.4] */
  readonly #sessions = new Map<string, ServerConnection>()
  readonly #maxLinks: number
  readonly #maxHandshakes: number
  /** Handshakes of TLS, which come before there is a connection here. */
  #reserved = 0

  constructor(maxLinks: number, maxHandshakes: number) {
    this.#maxLinks = maxLinks
    this.#maxHandshakes = maxHandshakes
  }

  get handshakes(): number {
    return this.#silent.size + this.#judged.size + this.#reserved
  }

  /** Everything that is connected, welcomed or not. */
  all(): ServerConnection[] {
    return [...this.links, ...this.#silent, ...this.#judged]
  }

  get isEmpty(): boolean {
    return this.links.size + this.#silent.size + this.#judged.size === 0
  }

  /** A place for a handshake that comes before there is a connection here; nothing when there is none. */
  reserve(): Cancel | undefined {
    if (!this.#hasRoom()) return undefined
    this.#reserved++
    let isHeld = true
    return () => {
      if (isHeld) this.#reserved--
      isHeld = false
    }
  }

  /** Whether there is a place for its handshake. */
  begin(connection: ServerConnection): boolean {
    if (!this.#hasRoom()) return false
    this.#silent.add(connection)
    return true
  }

  /** It has said HELLO. */
  greeted(connection: ServerConnection): void {
    if (this.#silent.delete(connection)) this.#judged.add(connection)
  }

  /** Its handshake is done. Gives a code when it is to be refused. */
  admit(connection: ServerConnection): SocketErrorCode | undefined {
    const key = keyOf(connection)
    this.#sessions.get(key)?.end(socketError('REPLACED'))
    if (this.links.size >= this.#maxLinks) return 'TOO_MANY_LINKS'
    this.#judged.delete(connection)
    this.links.add(connection)
    this.#sessions.set(key, connection)
    return undefined
  }

  remove(connection: ServerConnection): void {
    this.#silent.delete(connection)
    this.#judged.delete(connection)
    if (!this.links.delete(connection)) return
    const key = keyOf(connection)
    if (this.#sessions.get(key) === connection) this.#sessions.delete(key)
  }

  #hasRoom(): boolean {
    if (this.handshakes < this.#maxHandshakes) return true
    const [oldest] = this.#silent
    oldest?.cut(socketError('HANDSHAKE_TIMEOUT'))
    return oldest !== undefined
  }
}

/** Of an identity that has a name, the name alone: what else it says may differ from one connection to the next. */
function keyOf({ session, isTrusted, info: { identity } }: ServerConnection): string {
  return JSON.stringify([session, isTrusted, identity.name ?? identity])
}
