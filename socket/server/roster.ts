/**
 * Who is connected: links, connections that are still in their handshake, and which connection a link has now.
 *
 * Floor 7. Handshakes have a bound of their own, so that those who connect and say nothing take no place of those who
 * do. When all are taken, the oldest that has said nothing has to go; where all have spoken, the newest is refused. Those
 * who are trusted always have a place: nobody keeps a program from its own server.
 */
import type { Cancel } from '#base/clock'
import { type SignalboxError, type SocketErrorCode, socketError } from '#base/errors'
import type { ServerConnection } from './server-connection.ts'

/** What has said nothing yet: a connection, or one whose handshake of TLS comes before there is a connection here. */
interface Silent {
  cut(error: SignalboxError): void
}

export class Roster {
  readonly links = new Set<ServerConnection>()
  readonly #silent = new Set<Silent>()
  readonly #judged = new Set<ServerConnection>()
  /** By the secret of the link, and by who it is: nobody ends the connection of somebody else. [SOCK 3.4] */
  readonly #sessions = new Map<string, ServerConnection>()
  readonly #maxLinks: number
  readonly #maxHandshakes: number
  /** Those of `#silent` that are no connections yet. */
  readonly #reserved = new Set<Silent>()

  constructor(maxLinks: number, maxHandshakes: number) {
    this.#maxLinks = maxLinks
    this.#maxHandshakes = maxHandshakes
  }

  get handshakes(): number {
    return this.#silent.size + this.#judged.size
  }

  /** Everything that is connected, welcomed or not. */
  all(): ServerConnection[] {
    const silent = [...this.#silent].filter((each) => !this.#reserved.has(each)) as ServerConnection[]
    return [...this.links, ...silent, ...this.#judged]
  }

  get isEmpty(): boolean {
    return this.links.size + this.handshakes === this.#reserved.size
  }

  /**
   * A place for a handshake that comes before there is a connection here; nothing when there is none. `cut` ends it, when
   * its place is needed.
   */
  reserve(cut: () => void): Cancel | undefined {
    if (!this.#hasRoom()) return undefined
    const place: Silent = { cut }
    this.#silent.add(place)
    this.#reserved.add(place)
    return () => this.#forget(place)
  }

  /** Whether there is a place for its handshake. */
  begin(connection: ServerConnection): boolean {
    if (connection.isTrusted) {
      this.#judged.add(connection)
      return true
    }
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
    // Whoever was told of that may have closed everything.
    if (!this.#judged.has(connection)) return 'SERVER_CLOSING'
    if (!connection.isTrusted && this.links.size >= this.#maxLinks) return 'TOO_MANY_LINKS'
    this.#judged.delete(connection)
    this.links.add(connection)
    this.#sessions.set(key, connection)
    return undefined
  }

  remove(connection: ServerConnection): void {
    this.#forget(connection)
    this.#judged.delete(connection)
    if (!this.links.delete(connection)) return
    const key = keyOf(connection)
    if (this.#sessions.get(key) === connection) this.#sessions.delete(key)
  }

  #hasRoom(): boolean {
    if (this.handshakes < this.#maxHandshakes) return true
    const [oldest] = this.#silent
    if (oldest === undefined) return false
    this.#forget(oldest)
    oldest.cut(socketError('HANDSHAKE_TIMEOUT'))
    return true
  }

  #forget(silent: Silent): void {
    this.#silent.delete(silent)
    this.#reserved.delete(silent)
  }
}

/** Of an identity that has a name, the name alone: what else it says may differ from one connection to the next. */
function keyOf({ session, isTrusted, info: { identity } }: ServerConnection): string {
  return JSON.stringify([session, isTrusted, identity.name ?? identity])
}
