/**
 * What a broker answers. Each is one msgpack value, judged by the client that receives it. [BROKER 3]
 *
 * Floor 6, pure.
 */
import { decodeValue, encodeValue } from './codec.ts'
import { brokerError } from './errors.ts'
import { countIfAny, countOf, decodeFields, type Fields, listOf, textOf } from './fields.ts'
import { gapsOf, gapsToWire, type TopicGap } from './gap.ts'
import { featuresOf, type SeenTopic, seenOf } from './requests.ts'

/** To `hello`. */
export interface HelloReply {
  /** Which life of the broker positions belong to. */
  readonly epoch: number
  /** The name that this client's batches must carry as their sender: the authenticated one where there is one. */
  readonly sender: string
  /** The largest message of a channel that the broker takes. */
  readonly maxMessageBytes: number
  /** Names of what the broker can do beyond version 1. */
  readonly features: readonly string[]
}

/** To `subscribe`. */
export interface SubscribeReply {
  readonly epoch: number
  /** Everything after this position is delivered, or told as a gap. */
  readonly position: number
  /** Whether nothing was missed since the interruption, and what was asked for is there. */
  readonly recovered: boolean
  /** What is missing before the first message that is delivered. */
  readonly gaps: readonly TopicGap[]
  /** Topics that exist already, and the sequence that the first message delivered of them follows on. */
  readonly seen: readonly SeenTopic[]
  /** What the broker holds for it without credit. */
  readonly limitMessages: number
  readonly limitBytes: number
}

/** To `flush`: counts of this stream. */
export interface FlushReply {
  /** Messages taken. */
  readonly taken: number
  /** Messages refused. */
  readonly refused: number
}

/** One entry of the answer to `watch`: what was sent one way and refused. */
export interface Refusal {
  /** '' where the batch did not even name one. */
  readonly topic: string
  readonly code: string
  readonly number: number
  readonly message: string
  /** Messages, or 1 where their number cannot be known. */
  readonly count: number
}

export function encodeReply(reply: unknown): Uint8Array {
  return encodeValue(reply)
}

export function encodeSubscribeReply(reply: SubscribeReply): Uint8Array {
  return encodeValue({ ...reply, gaps: gapsToWire(reply.gaps) })
}

/** Throws INVALID_REQUEST. */
export function decodeHelloReply(bytes: Uint8Array): HelloReply {
  const fields = decodeFields(bytes)
  return {
    epoch: countOf(fields, 'epoch'),
    sender: textOf(fields, 'sender'),
    maxMessageBytes: countIfAny(fields, 'maxMessageBytes', Number.MAX_SAFE_INTEGER),
    features: featuresOf(fields),
  }
}

/** Throws INVALID_REQUEST. */
export function decodeSubscribeReply(bytes: Uint8Array): SubscribeReply {
  const fields = decodeFields(bytes)
  return {
    epoch: countOf(fields, 'epoch'),
    position: countOf(fields, 'position'),
    recovered: fields['recovered'] === true,
    gaps: gapsOf(fields['gaps']),
    seen: seenOf(fields['seen']),
    limitMessages: countOf(fields, 'limitMessages'),
    limitBytes: countOf(fields, 'limitBytes'),
  }
}

/** Throws INVALID_REQUEST. */
export function decodeFlushReply(bytes: Uint8Array): FlushReply {
  const fields = decodeFields(bytes)
  return { taken: countOf(fields, 'taken'), refused: countOf(fields, 'refused') }
}

/** Throws INVALID_REQUEST. */
export function decodeRefusals(bytes: Uint8Array): Refusal[] {
  return listOf(decodeValue(bytes), (entry) => {
    if (typeof entry !== 'object' || entry === null) throw brokerError('INVALID_REQUEST')
    const fields = entry as Fields
    const [topic, code, message] = [textOf(fields, 'topic'), textOf(fields, 'code'), textOf(fields, 'message')]
    return { topic, code, number: countOf(fields, 'number'), message, count: countOf(fields, 'count') }
  })
}
