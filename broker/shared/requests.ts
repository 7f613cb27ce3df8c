/**
 * What client and broker say to each other besides batches: requests, their answers, and notices of gaps.
 *
 * Floor 2, pure. One byte of kind, then msgpack. Everything received is judged here. [BROKER 3]
 */
import { batchKind } from './batch.ts'
import { decodeValue, encodeValue } from './codec.ts'
import { brokerError } from './errors.ts'

/** The first byte of what crosses a broker or subscription channel. */
export const WireKind = { BATCH: batchKind, REQUEST: 2, GAPS: 3 } as const

/** Messages `first` to `last` of a topic that a subscription did not get. */
export interface Gap {
  readonly topic: string
  readonly first: number
  readonly last: number
}

/** Where a subscription begins. */
export type From =
  | 'new'
  | 'all'
  | { readonly seq: number }
  | { readonly position: number }
  | { readonly time: number }
  | { readonly last: number }

/** What a subscription has seen before it was interrupted. */
export interface Resume {
  readonly epoch: number
  readonly position: number
  /** Topics and the last sequence seen there. */
  readonly seen: ReadonlyArray<readonly [topic: string, seq: number]>
}

export interface SubscribeRequest {
  readonly op: 'subscribe'
  /** The channel on which the client provides. */
  readonly channel: string
  readonly pattern: string
  readonly noEcho: boolean
  readonly limitMessages: number
  readonly limitBytes: number
  readonly from: From
  readonly resume: Resume | null
}

export interface SubscribeReply {
  readonly epoch: number
  /** Everything after this position is delivered, or told as a gap. */
  readonly position: number
  /** Whether everything since the interruption is delivered. True for a new subscription. */
  readonly recovered: boolean
  /** What is missing before the first message that is delivered. */
  readonly gaps: readonly Gap[]
  /** Topics that exist already, 1 000 at most, and the sequence that the first message delivered of them follows on. */
  readonly seen: ReadonlyArray<readonly [topic: string, seq: number]>
}

export interface UnsubscribeRequest {
  readonly op: 'unsubscribe'
  readonly channel: string
  /** Answer once what the broker holds has been forwarded, instead of dropping it. */
  readonly drain: boolean
}

export type BrokerRequest =
  | { readonly op: 'hello' }
  | SubscribeRequest
  | UnsubscribeRequest
  | { readonly op: 'flush' }
  | { readonly op: 'stats' }

export function encodeRequest(request: BrokerRequest): Uint8Array {
  return tagged(WireKind.REQUEST, request)
}

export function encodeGaps(gaps: readonly Gap[]): Uint8Array {
  return tagged(
    WireKind.GAPS,
    gaps.map(({ topic, first, last }) => [topic, first, last]),
  )
}

function tagged(kind: number, value: unknown): Uint8Array {
  const body = encodeValue(value)
  const bytes = new Uint8Array(1 + body.length)
  bytes[0] = kind
  bytes.set(body, 1)
  return bytes
}

/** Throws INVALID_REQUEST. */
export function decodeRequest(bytes: Uint8Array): BrokerRequest {
  const request = decodeObject(bytes.subarray(1))
  switch (request['op']) {
    case 'hello':
    case 'flush':
    case 'stats':
      return { op: request['op'] }
    case 'unsubscribe':
      return { op: 'unsubscribe', channel: text(request, 'channel'), drain: request['drain'] === true }
    case 'subscribe':
      return {
        op: 'subscribe',
        channel: text(request, 'channel'),
        pattern: text(request, 'pattern'),
        noEcho: request['noEcho'] === true,
        limitMessages: count(request, 'limitMessages'),
        limitBytes: count(request, 'limitBytes'),
        from: decodeFrom(request['from']),
        resume: decodeResume(request['resume']),
      }
    default:
      throw brokerError('INVALID_REQUEST', `The request is ${JSON.stringify(request['op'])?.slice(0, 50)}.`)
  }
}

/** Throws INVALID_REQUEST. */
export function decodeGaps(bytes: Uint8Array): Gap[] {
  return listOf(decodeValue(bytes.subarray(1)), (gap) => {
    const [topic, first, last] = Array.isArray(gap) ? gap : []
    return gapOf(topic, first, last)
  })
}

function gapOf(topic: unknown, first: unknown, last: unknown): Gap {
  const isGap = typeof topic === 'string' && isCount(first) && isCount(last) && first <= last
  if (!isGap) throw brokerError('INVALID_REQUEST', 'A notice names what is no gap.')
  return { topic, first, last }
}

export function encodeReply(reply: unknown): Uint8Array {
  return encodeValue(reply)
}

/** Throws INVALID_REQUEST. */
export function decodeSubscribeReply(bytes: Uint8Array): SubscribeReply {
  const fields = decodeObject(bytes)
  const [epoch, position] = [count(fields, 'epoch'), count(fields, 'position')]
  const gaps = listOf(fields['gaps'], (gap) => {
    const { topic, first, last } = (gap ?? {}) as Partial<Gap>
    return gapOf(topic, first, last)
  })
  return { epoch, position, recovered: fields['recovered'] === true, gaps, seen: seenOf(fields['seen']) }
}

type Fields = Record<string, unknown>

function decodeObject(bytes: Uint8Array): Fields {
  const value = decodeValue(bytes)
  if (typeof value !== 'object' || value === null) throw brokerError('INVALID_REQUEST')
  return value as Fields
}

function decodeFrom(value: unknown): From {
  if (value === 'new' || value === 'all') return value
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Fields
  for (const key of ['seq', 'position', 'time', 'last'] as const) {
    if (isCount(fields[key])) return { [key]: fields[key] } as unknown as From
  }
  throw brokerError('INVALID_REQUEST', 'A subscription does not say where it begins.')
}

function decodeResume(value: unknown): Resume | null {
  if (value === null || value === undefined) return null
  const fields = value as Fields
  if (typeof value !== 'object') throw brokerError('INVALID_REQUEST')
  return { epoch: count(fields, 'epoch'), position: count(fields, 'position'), seen: seenOf(fields['seen']) }
}

function seenOf(value: unknown): Resume['seen'] {
  return listOf(value, (pair) => {
    const [topic, seq] = Array.isArray(pair) ? pair : []
    if (typeof topic !== 'string' || !isCount(seq)) throw brokerError('INVALID_REQUEST')
    return [topic, seq] as const
  })
}

function listOf<T>(value: unknown, judge: (item: unknown) => T): T[] {
  if (!Array.isArray(value)) throw brokerError('INVALID_REQUEST', 'What should be a list is none.')
  return value.map(judge)
}

function text(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string') throw brokerError('INVALID_REQUEST', `The field ${name} is no text.`)
  return value
}

function count(fields: Fields, name: string): number {
  const value = fields[name]
  if (!isCount(value)) throw brokerError('INVALID_REQUEST', `The field ${name} is no whole number.`)
  return value
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
