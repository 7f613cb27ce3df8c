/**
 * What a client asks of a broker. One byte of kind, then a msgpack map. Everything received is judged here. [BROKER 3]
 *
 * Floor 5, pure.
 */
import { brokerError } from './errors.ts'
import { countIfAny, countOf, decodeFields, type Fields, isCount, listOf, textOf } from './fields.ts'
import { tagged, WireKind } from './gap.ts'

/** Where a subscription begins. */
export type From =
  | 'new'
  | 'all'
  | { readonly seq: number }
  /** After a message that was seen, in the life of the topic that it belonged to. */
  | { readonly after: { readonly seq: number; readonly epoch: number } }
  | { readonly position: number }
  | { readonly time: number }
  | { readonly last: number }

/** How far a topic has been seen. */
export type SeenTopic = readonly [topic: string, seq: number, epoch: number]

/** What a subscription has seen before it was interrupted. */
export interface Resume {
  /** Which life of the broker the position belongs to. */
  readonly epoch: number
  readonly position: number
  readonly seen: readonly SeenTopic[]
}

/** First on every stream: is there a broker, and what does it allow? */
export interface HelloRequest {
  readonly op: 'hello'
  readonly producerId: string
  /** Names of what the client can do beyond version 1. Those that the broker does not know mean nothing. */
  readonly features: readonly string[]
}

export interface SubscribeRequest {
  readonly op: 'subscribe'
  /** The channel on which the client provides. */
  readonly channel: string
  readonly pattern: string
  readonly noEcho: boolean
  /** What the broker is to hold without credit; it grants less if it does not allow so much. */
  readonly limitMessages: number
  readonly limitBytes: number
  /** The largest message of a channel that the client takes: what is larger is a gap. */
  readonly maxMessageBytes: number
  readonly from: From
  readonly resume: Resume | null
}

export interface UnsubscribeRequest {
  readonly op: 'unsubscribe'
  readonly channel: string
  /** Answer once what the broker holds has been forwarded, instead of dropping it. */
  readonly drain: boolean
}

export type BrokerRequest =
  | HelloRequest
  | SubscribeRequest
  | UnsubscribeRequest
  /** Answered when all that came before on this stream has been taken or refused. */
  | { readonly op: 'flush' }
  /** Answered as soon as something that this client sent one way has been refused. */
  | { readonly op: 'watch' }

const maxFeatures = 100
/** A client says 256 KiB at most. Of empty maps a request becomes sixty times as much memory as it has bytes. */
const maxRequestBytes = 512 * 1024

export function encodeRequest(request: BrokerRequest): Uint8Array {
  return tagged(WireKind.REQUEST, request)
}

/** Throws INVALID_REQUEST. */
export function decodeRequest(bytes: Uint8Array): BrokerRequest {
  if (bytes.length > maxRequestBytes) {
    throw brokerError('INVALID_REQUEST', `The request has ${bytes.length} bytes; the limit is ${maxRequestBytes}.`)
  }
  const request = decodeFields(bytes.subarray(1))
  switch (request['op']) {
    case 'hello':
      return { op: 'hello', producerId: producerOf(request), features: featuresOf(request) }
    case 'flush':
    case 'watch':
      return { op: request['op'] }
    case 'unsubscribe':
      return { op: 'unsubscribe', channel: textOf(request, 'channel'), drain: request['drain'] === true }
    case 'subscribe':
      return decodeSubscribe(request)
    default:
      throw brokerError('INVALID_REQUEST', `The request is ${JSON.stringify(request['op'])?.slice(0, 50)}.`)
  }
}

/** The broker does not go by it, so one that leaves it out is served too. */
function producerOf(request: Fields): string {
  return request['producerId'] === undefined ? '' : textOf(request, 'producerId')
}

function decodeSubscribe(request: Fields): SubscribeRequest {
  return {
    op: 'subscribe',
    channel: textOf(request, 'channel'),
    pattern: textOf(request, 'pattern'),
    noEcho: request['noEcho'] === true,
    limitMessages: countOf(request, 'limitMessages'),
    limitBytes: countOf(request, 'limitBytes'),
    maxMessageBytes: countIfAny(request, 'maxMessageBytes', Number.MAX_SAFE_INTEGER),
    from: decodeFrom(request['from']),
    resume: decodeResume(request['resume']),
  }
}

/** Feature lists come from newer peers too: what is no text in them, or too much, is passed over. */
export function featuresOf(fields: Fields): string[] {
  const list = fields['features']
  return Array.isArray(list) ? list.slice(0, maxFeatures).filter((name) => typeof name === 'string') : []
}

function decodeFrom(value: unknown): From {
  if (value === 'new' || value === 'all') return value
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Fields
  for (const key of ['seq', 'position', 'time', 'last'] as const) {
    if (isCount(fields[key])) return { [key]: fields[key] } as unknown as From
  }
  const after = fields['after']
  if (typeof after === 'object' && after !== null) {
    return { after: { seq: countOf(after as Fields, 'seq'), epoch: countOf(after as Fields, 'epoch') } }
  }
  throw brokerError('INVALID_REQUEST', 'A subscription does not say where it begins.')
}

function decodeResume(value: unknown): Resume | null {
  if (value === null || value === undefined) return null
  if (typeof value !== 'object') throw brokerError('INVALID_REQUEST')
  const fields = value as Fields
  return { epoch: countOf(fields, 'epoch'), position: countOf(fields, 'position'), seen: seenOf(fields['seen']) }
}

/** Throws INVALID_REQUEST. */
export function seenOf(value: unknown): SeenTopic[] {
  return listOf(value, (entry) => {
    const [topic, seq, epoch] = Array.isArray(entry) ? entry : []
    if (typeof topic !== 'string' || !isCount(seq) || !isCount(epoch)) throw brokerError('INVALID_REQUEST')
    return [topic, seq, epoch] as const
  })
}
