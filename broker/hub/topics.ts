/**
 * All topics of a broker: made on first use, with the settings that their names match.
 *
 * Floor 8, pure.
 */
import { brokerError } from '../shared/errors.ts'
import { checkTopic, compareSpecificity, isPattern, matches } from '../shared/topic-name.ts'
import { MemoryLog } from './engine/memory.ts'
import type { TopicOptions } from './options.ts'
import { Topic } from './topic.ts'

export interface TopicsSettings {
  readonly topics: Readonly<Record<string, TopicOptions>>
  readonly maxTopics: number
  readonly maxHistoryBytes: number
}

export class Topics {
  readonly #settings: TopicsSettings
  /** Most specific first. */
  readonly #patterns: ReadonlyArray<readonly [pattern: string, options: TopicOptions]>
  readonly #epoch: number
  readonly #topics = new Map<string, Topic>()

  constructor(settings: TopicsSettings, epoch: number) {
    this.#epoch = epoch
    this.#settings = settings
    this.#patterns = Object.entries(settings.topics).sort(([a], [b]) => compareSpecificity(a, b))
  }

  get size(): number {
    return this.#topics.size
  }

  /** The topic of that name, made if need be. Throws INVALID_TOPIC or TOO_MANY_TOPICS. */
  open(name: string): Topic {
    const known = this.#topics.get(name)
    if (known) return known
    checkTopic(name)
    const { maxTopics, maxHistoryBytes } = this.#settings
    if (this.#topics.size >= maxTopics) {
      throw brokerError('TOO_MANY_TOPICS', `There are ${maxTopics} topics.`, { details: { limit: maxTopics } })
    }
    const history = this.#patterns.find(([pattern, { history }]) => history !== undefined && matches(pattern, name))
    const messages = history?.[1].history ?? 0
    const topic = new Topic(name, this.#epoch, messages > 0 ? new MemoryLog(messages, maxHistoryBytes) : undefined)
    this.#topics.set(name, topic)
    return topic
  }

  /** The topics that exist and match. */
  matching(pattern: string): Topic[] {
    if (isPattern(pattern)) return [...this.#topics.values()].filter(({ name }) => matches(pattern, name))
    const topic = this.#topics.get(pattern)
    return topic ? [topic] : []
  }
}
