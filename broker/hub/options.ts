/**
 * Every option of the hub: its meaning, unit, default and bounds.
 *
 * Floor 6. A unit ends the name. Links and servers have options of their own (socket/options.ts), which are taken too.
 */
import { defined, isInteger, isNumber, isObject, type MayBeUndefined, type Rules, verify } from '#base/verify'
import type { LinkOptions, ServerOptions } from '#socket'
import { brokerChannel, isChannel } from '../shared/broker-channel.ts'
import { checkPattern } from '../shared/topic-name.ts'

/** How subscriptions that do not keep up slow publishers down. */
export interface PacingOptions {
  /**
   * For which part of its time a publisher may be held up; beyond that, what a subscription cannot take is dropped at its
   * limit, as a gap. 0: never. 1: as long as it takes, so that nothing is lost. Default 0.1.
   */
  readonly share?: number
}

/** What the broker holds for one subscription. */
export interface LimitOptions {
  readonly messages?: number
  readonly bytes?: number
}

/** Settings of the topics that a pattern matches. */
export interface TopicOptions {
  /** In the place of the broker's. */
  readonly pacing?: PacingOptions
  /** Messages kept in memory for subscribers that come later or come back. Default 0. */
  readonly history?: number
}

export interface HubOptions {
  /** Settings by pattern; for each setting the most specific pattern that has it wins. Default none. */
  readonly topics?: Readonly<Record<string, TopicOptions>>
  /** Channel that the broker provides. Default one fixed for all brokers; choose another to run two on one server. */
  readonly channel?: string
  /**
   * Topics that may exist, as far as a quarter of `maxMemoryBytes` has room; a publish to one more is refused and
   * counted. Default 1 000 000.
   */
  readonly maxTopics?: number
  /** Subscriptions at once, as far as half of `maxMemoryBytes` has room, 2 500 bytes for each. Default 1 000 000. */
  readonly maxSubscriptions?: number
  /** Milliseconds without traffic after which a topic is forgotten that has no history and no subscription. Default 60 000. */
  readonly topicIdleMs?: number
  /** How publishers are slowed down. */
  readonly pacing?: PacingOptions
  /** The most that `limit` of a subscription may ask for; it gets that at most. Default 1 000 000 messages, 64 MiB. */
  readonly maxLimit?: LimitOptions
  /** Bytes that the history of one topic may take, whatever `history` says. Default 64 MiB. */
  readonly maxHistoryBytes?: number
  /** Milliseconds that `close()` leaves for what is queued to go out. Default 1 000. */
  readonly drainMs?: number
  /** Largest message of a channel that the broker takes, in bytes. Default 16 MiB. */
  readonly maxMessageBytes?: number
}

export interface HubSettings extends Required<HubOptions> {
  readonly pacing: Required<PacingOptions>
  readonly maxLimit: Required<LimitOptions>
}

export const hubDefaults: HubSettings = Object.freeze({
  topics: Object.freeze({}),
  channel: brokerChannel,
  maxTopics: 1_000_000,
  maxSubscriptions: 1_000_000,
  topicIdleMs: 60_000,
  pacing: Object.freeze({ share: 0.1 }),
  maxLimit: Object.freeze({ messages: 1_000_000, bytes: 64 * 1024 * 1024 }),
  maxHistoryBytes: 64 * 1024 * 1024,
  drainMs: 1_000,
  maxMessageBytes: 16 * 1024 * 1024,
})

const hubRules: Rules = {
  topics: isObject,
  channel: isChannel,
  maxTopics: isInteger(1),
  maxSubscriptions: isInteger(1),
  topicIdleMs: isNumber(1),
  pacing: isObject,
  maxLimit: isObject,
  maxHistoryBytes: isInteger(0),
  drainMs: isNumber(0),
  maxMessageBytes: isInteger(1, 1024 * 1024 * 1024),
}

const topicRules: Rules = { history: isInteger(0, 10_000_000), pacing: isObject }
const pacingRules: Rules = { share: isNumber(0, 1) }
const limitRules: Rules = { messages: isInteger(1), bytes: isInteger(1) }

/** `Broker.listen`: a server and a broker in this process. */
export interface BrokerOptions extends MayBeUndefined<HubOptions>, MayBeUndefined<ServerOptions> {}

/** `Broker.attach`: a broker that is a client of a server elsewhere. */
export interface AttachOptions extends MayBeUndefined<HubOptions>, MayBeUndefined<LinkOptions> {}

/** Takes the broker's own options out. Throws INVALID_OPTION, INVALID_PATTERN. */
export function splitHubOptions<Rest extends object>(
  where: string,
  options: MayBeUndefined<HubOptions> & MayBeUndefined<Rest>,
  restRules: Rules,
): { hub: HubSettings; rest: Omit<Rest, keyof HubOptions> } {
  verify(where, options, { ...restRules, ...hubRules })
  for (const [pattern, settings] of Object.entries(options.topics ?? {})) {
    verify(`topics['${checkPattern(pattern)}']`, settings, topicRules)
    verify(`pacing of topics['${pattern}']`, settings.pacing ?? {}, pacingRules)
  }
  verify('pacing', options.pacing ?? {}, pacingRules)
  verify('maxLimit', options.maxLimit ?? {}, limitRules)
  const hub: Record<string, unknown> = { ...hubDefaults }
  const rest: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) (Object.hasOwn(hubRules, name) ? hub : rest)[name] = value
  }
  hub['pacing'] = { ...hubDefaults.pacing, ...defined(options.pacing ?? {}) }
  hub['maxLimit'] = { ...hubDefaults.maxLimit, ...defined(options.maxLimit ?? {}) }
  return { hub: hub as unknown as HubSettings, rest: rest as Omit<Rest, keyof HubOptions> }
}
