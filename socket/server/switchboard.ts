/**
 * The switchboard: which channel ends are open, which of them are joined, and where a frame goes.
 *
 * Floor 5. A channel joins each of its Consumers with each of its Providers by a stream, which has a number of its own
 * on either link. A frame is sent on by writing the other number into its header; the switchboard knows nothing of
 * what it carries, and nothing waits here. [SOCK 4]
 */
import { none } from '#base/bytes'
import { type SocketErrorCode, socketError } from '#base/errors'
import type { MemoryBudget } from '#base/memory-budget'
import { encodePeer, type Open } from '../wire/control-frames.ts'
import { encodeFailure } from '../wire/failure.ts'
import { headerBytes, Kind, rewriteStream } from '../wire/frame.ts'
import { Congestion, type Joints } from './congestion.ts'
import type { Line, Side, SwitchEnd } from './lines.ts'

/** What an end takes with its channel; what a stream takes here and, once it is used, at a Provider of this program. */
const endBytes = 300
const streamBytes = 1_600

/** Most channels have one end of each kind: an array of one takes a quarter of what a set does. */
interface Channel {
  readonly id: string
  providers: SwitchEnd[]
  consumers: SwitchEnd[]
  /** There has been no room for a first Provider. */
  refusal: Refusal | undefined
}

interface Refusal {
  /** So many Consumers could have been closed for it. */
  readonly room: number
  /** So many come or go until somebody looks again: who asks again and again must not have all of them looked at. */
  changes: number
}

export class Switchboard implements Joints {
  /** Streams that join a Consumer and a Provider, and that both have been told of. */
  streams = 0
  /** Frames for streams that were over. */
  lateFrames = 0
  readonly congestion: Congestion
  readonly #channels = new Map<string, Channel>()
  readonly #maxBytes: number
  #ends = 0
  /** Streams that nobody has been told of yet. */
  #asleep = 0

  constructor(maxLinkBufferBytes: number, memory: MemoryBudget) {
    this.#maxBytes = memory.limit
    this.congestion = new Congestion(maxLinkBufferBytes, memory, this)
  }

  /** Channels with at least one end open. */
  get channels(): number {
    return this.#channels.size
  }

  /** Each link has its bounds; what all of them have together is bounded by memory. */
  get #isCrowded(): boolean {
    return this.#ends * endBytes + (this.streams + this.#asleep) * streamBytes >= this.#maxBytes
  }

  /** Sends a frame of a stream to the other side. `framed` as in `FrameSink`. */
  route(
    line: Line,
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
    if (side === undefined || !side.isTold) {
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
    if (target.port.isCongested) this.congestion.grew(target, line, headerBytes + end - start)
  }

  /**
   * Opens an end and joins it with the other ends of its channel. Returns a code when it is refused. A Provider is not
   * refused because somebody who waits for it has too many streams: that one has to go. [SOCK 4.3]
   */
  open(line: Line, number: number, open: Open): SocketErrorCode | undefined {
    const { role, channelId, shared } = open
    const channel = this.#channels.get(channelId) ?? newChannel(channelId)
    if (role === 'provider') {
      const [first] = channel.providers
      if (first && !(shared && first.open.shared)) return 'CHANNEL_CONFLICT'
    }
    const others = role === 'provider' ? channel.consumers : channel.providers
    if (!line.isTrusted && this.#isCrowded) return 'MEMORY_FULL'
    const surplus = line.sides.size + others.length - line.maxStreams
    const crowd = role === 'provider' && channel.providers.length === 0 ? crowdOf(channel, surplus) : []
    // Nobody is closed for a Provider that is refused all the same.
    if (surplus > crowd.length) return 'TOO_MANY_CHANNELS'
    for (const other of crowd) this.#evict(other)
    if (role === 'consumer' && others.length > 0 && others.every(isFull)) return 'TOO_MANY_CHANNELS'
    const end: SwitchEnd = { line, number, open: this.#known(open, channel), at: 0, sides: [] }
    this.#channels.set(channelId, channel)
    line.ends.set(number, end)
    this.#ends++
    if (role === 'provider') channel.providers = added(channel.providers, end)
    else {
      channel.consumers = added(channel.consumers, end)
      if (channel.refusal) channel.refusal.changes--
    }
    // A copy: those that have to go are taken from the list meanwhile.
    for (const other of [...others]) {
      if (isFull(other)) {
        if (role === 'provider') this.#evict(other)
      } else this.#join(end, other)
    }
    line.tell(Kind.OPENED, number, 0, none)
    return undefined
  }

  /** Takes an end off its channel. Its streams go on until they are reset. */
  shut(end: SwitchEnd): void {
    if (!end.line.ends.delete(end.number)) return
    this.#ends--
    for (const side of [...end.sides]) if (!side.isTold) this.#part(side)
    const channel = this.#channels.get(end.open.channelId)
    if (channel === undefined) return
    remove(end.open.role === 'provider' ? channel.providers : channel.consumers, end)
    if (channel.refusal && end.open.role === 'consumer') channel.refusal.changes--
    if (channel.consumers.length + channel.providers.length === 0) this.#channels.delete(end.open.channelId)
  }

  /** Resets the streams between a link and another that floods it. Those that take their place are told of later. */
  breakUp(line: Line, linkId: number): void {
    const failure = encodeFailure(socketError('SLOW_LINK', 'The link at one end could not take what the other sent.'))
    for (const side of line.sides.values()) {
      const { end, other } = side
      // Of a link that is joined with itself both sides are here.
      const isOver = line.sides.get(side.number) !== side
      if (isOver || !side.isTold || other.line.info.linkId !== linkId) continue
      this.#reset(side, failure)
      if (isOpen(end) && isOpen(other.end)) this.#join(end, other.end)
    }
  }

  /** Begins the streams between a link and the others that have not begun. */
  rejoin(line: Line, linkIds: ReadonlySet<number>): void {
    for (const side of line.sides.values()) {
      const isThere = line.sides.get(side.number) === side
      if (isThere && !side.isTold && linkIds.has(side.other.line.info.linkId)) this.#begin(side)
    }
  }

  /** The link is gone: its ends too, and the other side of every stream is told. */
  drop(line: Line): void {
    for (const end of line.ends.values()) this.shut(end)
    const failure = encodeFailure(socketError('LINK_LOST', 'The link at the other end of the channel was lost.'))
    for (const side of line.sides.values()) {
      const { other } = side
      this.#part(side)
      // Nothing must wait, and be counted, for a link that is gone: both sides may be of it.
      if (other.line !== line) other.line.tell(Kind.RESET, other.number, 0, failure)
    }
  }

  /** The same for all ends that opened the channel in the same way: a broker's clients all have its id. */
  #known(open: Open, { id, providers, consumers }: Channel): Open {
    const known = (open.role === 'provider' ? providers : consumers)[0]?.open
    return known?.shared === open.shared ? known : { ...open, channelId: id }
  }

  /** The stream takes its place of what a link may have also while it cannot begin. */
  #join(one: SwitchEnd, two: SwitchEnd): void {
    const near = { line: one.line, number: one.line.nextStream(), end: one, at: 0, isTold: false } as Side
    // Its number is taken before the other is chosen: both may be of one link.
    near.line.sides.set(near.number, near)
    const far: Side = { line: two.line, number: two.line.nextStream(), end: two, at: 0, isTold: false, other: near }
    near.other = far
    far.line.sides.set(far.number, far)
    one.sides = added(one.sides, near)
    two.sides = added(two.sides, far)
    this.#asleep++
    this.#begin(near)
  }

  /**
   * Tells both links of a stream, unless that has to wait until one of them has read. The Provider is told first, so that
   * it is there when the Consumer's first message comes.
   */
  #begin(side: Side): void {
    const [near, far] = side.end.open.role === 'consumer' ? [side, side.other] : [side.other, side]
    if (!this.congestion.mayJoin(near.line, far.line)) return
    near.isTold = true
    far.isTold = true
    this.#asleep--
    this.streams++
    attach(far, near.line)
    // That may have been too much for it, and have parted them again.
    if (near.line.sides.get(near.number) === near) attach(near, far.line)
  }

  /** Its link has as many streams as it may. */
  #evict(end: SwitchEnd): void {
    const code = 'TOO_MANY_CHANNELS'
    const told = end.sides.filter(({ isTold }) => isTold)
    if (told.length > 0) {
      const failure = encodeFailure(socketError(code))
      for (const side of told) this.#reset(side, failure)
    }
    this.shut(end)
    end.line.evicted(end, code)
  }

  /** Ends a stream, and tells both sides. */
  #reset(side: Side, failure: Uint8Array): void {
    const { line, number, other } = side
    this.#part(side)
    line.tell(Kind.RESET, number, 0, failure)
    other.line.tell(Kind.RESET, other.number, 0, failure)
  }

  #part(side: Side): void {
    if (!side.line.sides.delete(side.number)) return
    const { other } = side
    other.line.sides.delete(other.number)
    remove(side.end.sides, side)
    remove(other.end.sides, other)
    if (side.isTold) this.streams--
    else this.#asleep--
  }
}

function newChannel(id: string): Channel {
  return { id, providers: [], consumers: [], refusal: undefined }
}

function isOpen({ line, number }: SwitchEnd): boolean {
  return line.ends.has(number)
}

function isFull({ line }: SwitchEnd): boolean {
  return line.sides.size >= line.maxStreams
}

/**
 * More Consumers wait than the first Provider can have streams, by `surplus`: of links that have more than twice as many
 * of them as the others have on average some must close. Else one link could keep every Provider off a channel. Gives
 * those, and fewer than `surplus` where that does not make room. [SOCK 4.3]
 */
function crowdOf(channel: Channel, surplus: number): readonly SwitchEnd[] {
  const { consumers, refusal } = channel
  if (surplus <= 0 || surplus >= consumers.length) return []
  if (refusal !== undefined && refusal.changes > 0 && refusal.room < surplus) return []
  const crowd = largestOf(consumers, surplus)
  const isRefused = crowd.length < surplus
  channel.refusal = isRefused ? { room: crowd.length, changes: Math.ceil(consumers.length / 16) } : undefined
  return crowd
}

/** Ends of those links that have more than twice as many as the others on average, `surplus` at most. */
function largestOf(consumers: readonly SwitchEnd[], surplus: number): SwitchEnd[] {
  const byLine = new Map<Line, SwitchEnd[]>()
  for (const end of consumers) {
    const ends = byLine.get(end.line)
    if (ends === undefined) byLine.set(end.line, [end])
    else ends.push(end)
  }
  const crowd: SwitchEnd[] = []
  let [links, rest] = [byLine.size, consumers.length]
  for (const ends of [...byLine.values()].sort((one, two) => two.length - one.length)) {
    links--
    rest -= ends.length
    if (crowd.length === surplus || (links > 0 && ends.length * links <= rest * 2)) break
    crowd.push(...ends.slice(crowd.length - surplus))
  }
  return crowd
}

/** Where a link is, only those are told who are trusted. [SOCK 4.4] */
function attach({ line, number, end }: Side, peer: Line): void {
  line.tell(Kind.ATTACH, number, end.number, introduced(peer, line.isTrusted), peer)
}

/** Encoded once: a broker's link is introduced to every client, and a client to the broker with each of its ends. */
function introduced(peer: Line, isTrusted: boolean): Uint8Array {
  if (isTrusted) {
    peer.fullIntroduction ??= encodePeer(peer.info)
    return peer.fullIntroduction
  }
  const { linkId, name, transport, identity, features } = peer.info
  peer.introduction ??= encodePeer({ linkId, name, transport, identity, features })
  return peer.introduction
}

/** What knows its place in a list. */
interface Placed {
  at: number
}

/** A list of one is made as such, for an array that is pushed to reserves room for sixteen more. */
function added<T extends Placed>(list: T[], one: T): T[] {
  one.at = list.length
  if (list.length === 0) return [one]
  list.push(one)
  return list
}

/** In one step however many there are: the last takes its place. */
function remove<T extends Placed>(list: T[], one: T): void {
  const last = list.pop() as T
  if (last === one) return
  list[one.at] = last
  last.at = one.at
}
