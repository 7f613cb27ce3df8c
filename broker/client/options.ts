/**
 * Every option of the client: its meaning, unit, default and bounds.
 *
 * Floor 7. A unit ends the name. Links have options of their own (socket/options.ts), which are taken too.
 */
import {
  defined,
  invalid,
  isBoolean,
  isFunction,
  isInteger,
  isNumber,
  isObject,
  isOneOf,
  isSignal,
  isText,
  type MayBeUndefined,
  type Rule,
  type Rules,
  verify,
} from '#base/verify'
import { type LinkOptions, linkRules } from '#socket/client'
import { isChannel } from '../shared/broker-channel.ts'
import type { From } from '../shared/requests.ts'
import type { Headers, Message } from './message.ts'

const isId: Rule = {
  expected: 'a string of 1 to 100 characters',
  test: (value) => typeof value === 'string' && value.length > 0 && value.length <= 100,
}

export interface ClientOptions extends MayBeUndefined<Omit<LinkOptions, 'observe'>> {
  /** Names this client in the ids of its messages. Default a random UUID. */
  readonly producerId?: string | undefined
  /** Channel of the broker. Default the one that every broker provides. */
  readonly channel?: string | undefined
  /** Keeps trying until there is a server with a broker, instead of failing; `signal` ends that. Default false. */
  readonly waitForBroker?: boolean | undefined
}

const { observe: _observe, ...ownLinkRules } = linkRules
const clientRules: Rules = { ...ownLinkRules, producerId: isId, channel: isChannel, waitForBroker: isBoolean }

/** Throws INVALID_OPTION. */
export function verifyClientOptions(options: ClientOptions): void {
  verify('connect', options, clientRules)
}

/** How surely a message arrives: at most once is the only way that there is yet. */
export type Delivery = 'at-most-once'

const isDelivery = isOneOf('at-most-once')

export interface PublishOptions {
  /** Default, and only choice, 'at-most-once'. */
  readonly delivery?: Delivery | undefined
  /** Text by name, for the subscriber. Default none. */
  readonly headers?: Headers | undefined
  /** The message's id. Default the producer's id and a number. */
  readonly id?: string | undefined
  /** Connects a message with another, for the subscriber. Default none. */
  readonly correlationId?: string | undefined
  /** Topic to answer to, for the subscriber. Default none. */
  readonly replyTo?: string | undefined
  /** Milliseconds to wait for credit before TIMEOUT. Default `Infinity`. The message may still go afterwards. */
  readonly timeoutMs?: number | undefined
  /** Stops waiting for credit (ABORTED). The message may still go afterwards, unless it was aborted before. */
  readonly signal?: AbortSignal | undefined
}

const isHeaders: Rule = {
  expected: 'an object with text values',
  test: (value) => isObject.test(value) && Object.values(value as object).every((text) => typeof text === 'string'),
}

const publishRules: Rules = {
  delivery: isDelivery,
  headers: isHeaders,
  id: isId,
  correlationId: isId,
  replyTo: isText(255),
  timeoutMs: isNumber(0),
  signal: isSignal,
}

/** Throws INVALID_OPTION. */
export function verifyPublishOptions(options: PublishOptions): void {
  verify('publish', options, publishRules)
}

/** What happens to messages that the application does not take in time. */
export type Overflow = 'block' | 'drop-oldest' | 'drop-newest' | 'error'

export interface SubscribeOptions {
  /** Default, and only choice, 'at-most-once'. */
  readonly delivery?: Delivery | undefined
  /**
   * Messages held for the application before `overflow` acts. Default 100. Under `block` it means nothing: there the
   * stream's window (`windowBytes` of the link) bounds what is held here.
   */
  readonly buffer?: number | undefined
  /**
   * `block`: credit stops, and the broker holds what comes, up to `limit`. `drop-oldest` and `drop-newest` keep
   * `buffer` messages here and drop the rest, as gaps. `error` ends the subscription with QUEUE_OVERFLOW. Default
   * block.
   */
  readonly overflow?: Overflow | undefined
  /** What the broker holds once credit is gone; then the oldest go, as gaps. Default 65 536 messages, 64 MiB. */
  readonly limit?: { readonly messages?: number | undefined; readonly bytes?: number | undefined } | undefined
  /** Where to begin, as far as the topic has a history. Default 'new'. */
  readonly from?: From | undefined
  /** Leaves out what this client published itself. Default false. */
  readonly noEcho?: boolean | undefined
  /** Milliseconds to wait for the broker before `subscribe` gives up (TIMEOUT). Default 5 000. */
  readonly timeoutMs?: number | undefined
  /** Closes the subscription when aborted; its loop ends as with `close()`. */
  readonly signal?: AbortSignal | undefined
}

export const waitTimeoutMs = 5_000

export const subscribeDefaults = Object.freeze({
  delivery: 'at-most-once' as Delivery,
  buffer: 100,
  overflow: 'block' as Overflow,
  from: 'new' as From,
  noEcho: false,
  timeoutMs: waitTimeoutMs,
})
export const limitDefaults = Object.freeze({ messages: 65_536, bytes: 64 * 1024 * 1024 })

/** What was asked for, with the defaults for what was not. */
export interface SubscribeSettings {
  readonly delivery: Delivery
  readonly buffer: number
  readonly overflow: Overflow
  readonly limit: { readonly messages: number; readonly bytes: number }
  readonly from: From
  readonly noEcho: boolean
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

const fromExpected = "'new', 'all', { seq }, { after: { seq, epoch } }, { position }, { time } or { last }"
const isFrom: Rule = {
  expected: fromExpected,
  test(value) {
    if (value === 'new' || value === 'all') return true
    const entries = isObject.test(value) ? Object.entries(defined(value as object)) : []
    const [name, given] = entries[0] ?? []
    if (entries.length !== 1) return false
    if (name !== 'after') return ['seq', 'position', 'time', 'last'].includes(name ?? '') && isInteger(0).test(given)
    const { seq, epoch } = isObject.test(given) ? (given as { seq?: unknown; epoch?: unknown }) : {}
    return isInteger(0).test(seq) && isInteger(0).test(epoch)
  },
}

const subscribeRules: Rules = {
  delivery: isDelivery,
  buffer: isInteger(1),
  overflow: isOneOf('block', 'drop-oldest', 'drop-newest', 'error'),
  limit: isObject,
  from: isFrom,
  noEcho: isBoolean,
  timeoutMs: isNumber(0),
  signal: isSignal,
}
const limitRules: Rules = { messages: isInteger(1), bytes: isInteger(1) }

/** Throws INVALID_OPTION. */
export function subscribeSettings(options: SubscribeOptions): SubscribeSettings {
  if (typeof options === 'function') {
    const expected = 'an object of options; read with `for await`, or with `subscription.run(handler)`'
    throw invalid('subscribe', 'the second argument', expected, options)
  }
  verify('subscribe', options, subscribeRules)
  if (options.limit) verify('limit', options.limit, limitRules)
  const limit = { ...limitDefaults, ...defined(options.limit ?? {}) }
  return { ...subscribeDefaults, ...defined(options), limit } as SubscribeSettings
}

export interface RunOptions {
  /** Handlers at once. Default 1, which keeps the order. */
  readonly concurrency?: number | undefined
  /** Told of what the handler threw. Default: it is told as status 'error', or printed as a warning if nobody listens. */
  readonly onError?: ((error: unknown, message: Message) => void) | undefined
}

/** Throws INVALID_OPTION. */
export function verifyRun(handler: unknown, options: RunOptions): void {
  if (typeof handler !== 'function') throw invalid('run', 'handler', 'a function', handler)
  verify('run', options, { concurrency: isInteger(1, 100_000), onError: isFunction })
}

export interface WaitOptions {
  /** Milliseconds until TIMEOUT (or, when draining, until what is left is given up). Default 5 000. */
  readonly timeoutMs?: number | undefined
  /** Gives up when aborted (ABORTED). */
  readonly signal?: AbortSignal | undefined
}

/** Throws INVALID_OPTION. */
export function verifyWait(where: string, options: WaitOptions): void {
  verify(where, options, { timeoutMs: isNumber(0), signal: isSignal })
}
