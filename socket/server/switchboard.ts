/**
 * The switchboard: which channel ends are open, which of them are joined, and where a frame goes.
 *
 * Floor 2. A channel joins each of its Consumers with each of its Providers by a stream, which has a number of its own
 * on either link. A frame is sent on by writing the other number into its header; the switchboard knows nothing of
 * what it carries, and nothing waits here. [SOCK 4]
 */
import { none } from '#base/bytes'
import { type SocketErrorCode, socketError } from '#base/errors'
import type { SmallMap } from '#base/small-map'
import type { Port } from '../transport/port.ts'
import { encodePeer, type Open } from '../wire/control-frames.ts'
import { encodeFailure } from '../wire/failure.ts'
import { headerBytes, Kind, rewriteStream } from '../wire/frame.ts'
import type { LinkInfo } from '../wire/peer.ts'

/** A link as the switchboard sees it. */
export interface SwitchLine {
  readonly port: Port
  readonly info: LinkInfo
  /** Channel ends by the number that the client gave them. */
  readonly ends: SmallMap<number, SwitchEnd>
  /** Streams by their number on this link. */
  readonly sides: SmallMap<number, Side>
  readonly maxStreams: number
  /** A number that no stream of this link has. */
  nextStream(): number
  /** Sends a frame of the server's own. */
  tell(kind: number, stream: number, id: number, payload: Uint8Array): void
  /** More waits for it than it may have; it is to be cut. */
  overflowed(): void
}

/** One side of a stream. */
export interface Side {
  readonly line: SwitchLine
  readonly number: number
  readonly end: SwitchEnd
  other: Side
}

export interface SwitchEnd {
  readonly line: SwitchLine
  readonly number: number
  readonly open: Open
  /** Its place among the ends of its kind on the channel. */
  at: number
}

/** Most channels have one end of each kind: an array of one takes a quarter of what a set does. */
interface Channel {
  readonly id: string
  providers: SwitchEnd[]
  consumers: SwitchEnd[]
}

export class Switchboard {
  /** Streams that join a Consumer and a Provider. */
  streams = 0
  /** Frames for streams that were over. */
  lateFrames = 0
  readonly #channels = new Map<string, Channel>()
  readonly #maxLinkBufferBytes: number

  constructor(maxLinkBufferBytes: number) {
    this.#maxLinkBufferBytes = maxLinkBufferBytes
  }

  /** Channels with at least one end open. */
  get channels(): number {
    return this.#channels.size
  }

  /** Sends a frame of a stream to the other side. `framed` as in `FrameSink`. */
  route(
    line: SwitchLine,
    kind: number,
    flags: number,
    stream: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    framed: boolean,
  ): void {
    const side = line.sides.get(stream)
    if (side === undefined) {
      this.lateFrames++
      return
    }
    const { line: target, number } = side.other
    if (framed) {
      rewriteStream(bytes, start - headerBytes, number)
      target.port.relay(bytes, start - headerBytes, end)
    } else {
      target.port.send(kind, flags, number, id, bytes, start, end)
    }
    if (kind === Kind.RESET) this.#part(side)
    if (target.port.isCongested && target.port.buffered > this.#maxLinkBufferBytes) target.overflowed()
  }

  /** Opens an end and joins it with the other ends of its channel. Returns a code when it is refused. */
  open(line: SwitchLine, number: number, open: Open): SocketErrorCode | undefined {
    const { role, channelId, shared } = open
    const channel = this.#channels.get(channelId) ?? { id: channelId, providers: [], consumers: [] }
    if (role === 'provider') {
      const [first] = channel.providers
      if (first && !(shared && first.open.shared)) return 'CHANNEL_CONFLICT'
    }
    const others = role === 'provider' ? channel.consumers : channel.providers
    if (line.sides.size + others.length > line.maxStreams) return 'TOO_MANY_CHANNELS'
    for (const other of others) if (other.line.sides.size >= other.line.maxStreams) return 'TOO_MANY_CHANNELS'
    const end: SwitchEnd = { line, number, open: this.#known(open, channel), at: 0 }
    this.#channels.set(channelId, channel)
    line.ends.set(number, end)
    if (role === 'provider') channel.providers = withEnd(channel.providers, end)
    else channel.consumers = withEnd(channel.consumers, end)
    // A copy: in the same process whoever is joined may shut an end, or open one, before this goes on.
    for (const other of [...others]) {
      if (other.line.ends.get(other.number) !== other) continue
      if (role === 'provider') this.#join(other, end)
      else this.#join(end, other)
    }
    line.tell(Kind.OPENED, number, 0, none)
    return undefined
  }

  /** Takes an end off its channel. Its streams go on until they are reset. */
  shut(end: SwitchEnd): void {
    end.line.ends.delete(end.number)
    const channel = this.#channels.get(end.open.channelId)
    if (channel === undefined) return
    removeEnd(end.open.role === 'provider' ? channel.providers : channel.consumers, end)
    if (channel.consumers.length + channel.providers.length === 0) this.#channels.delete(end.open.channelId)
  }

  /** The link is gone: its ends too, and the other side of every stream is told. */
  drop(line: SwitchLine): void {
    for (const end of line.ends.values()) this.shut(end)
    const failure = encodeFailure(socketError('LINK_LOST', 'The link at the other end of the channel was lost.'))
    for (const side of line.sides.values()) {
      const { other } = side
      this.#part(side)
      other.line.tell(Kind.RESET, other.number, 0, failure)
    }
  }

  /** The same for all ends that opened the channel in the same way: a broker's clients all have its id. */
  #known(open: Open, { id, providers, consumers }: Channel): Open {
    const known = (open.role === 'provider' ? providers : consumers)[0]?.open
    return known?.shared === open.shared ? known : { ...open, channelId: id }
  }

  /** The Provider first, so that it is there when the Consumer's first message comes. */
  #join(consumer: SwitchEnd, provider: SwitchEnd): void {
    const one = { line: consumer.line, number: consumer.line.nextStream(), end: consumer } as Side
    const two: Side = { line: provider.line, number: provider.line.nextStream(), end: provider, other: one }
    one.other = two
    one.line.sides.set(one.number, one)
    two.line.sides.set(two.number, two)
    this.streams++
    this.#attach(two, one.line.info)
    this.#attach(one, two.line.info)
  }

  #attach(side: Side, peer: LinkInfo): void {
    const { linkId, name, transport, address, identity, features } = peer
    const told = encodePeer({ linkId, name, transport, address, identity, features })
    side.line.tell(Kind.ATTACH, side.number, side.end.number, told)
  }

  #part(side: Side): void {
    if (!side.line.sides.delete(side.number)) return
    side.other.line.sides.delete(side.other.number)
    this.streams--
  }
}

/** A list of one is made as such, for an array that is pushed to reserves room for sixteen more. */
function withEnd(ends: SwitchEnd[], end: SwitchEnd): SwitchEnd[] {
  end.at = ends.length
  if (ends.length === 0) return [end]
  ends.push(end)
  return ends
}

/** In one step however many there are: the last takes its place. */
function removeEnd(ends: SwitchEnd[], end: SwitchEnd): void {
  const last = ends.pop() as SwitchEnd
  if (last === end) return
  ends[end.at] = last
  last.at = end.at
}
