/**
 * What a subscription gets when it begins: part of the history, or what it missed in an interruption.
 *
 * Floor 8, pure.
 */

import type { TopicGap } from '../shared/gap.ts'
import type { SubscribeReply } from '../shared/replies.ts'
import type { SeenTopic, SubscribeRequest } from '../shared/requests.ts'
import type { StoredBatch } from './engine/memory.ts'
import type { Topic } from './topic.ts'

export interface Replay {
  readonly reply: SubscribeReply
  /** Batches in the order of their positions. */
  readonly batches: readonly StoredBatch[]
}

/** Topics named in the answer at most: enough for most subscriptions, and little where a pattern matches very many. */
const maxSeen = 1_000

/** `position` is that of the broker's latest message. */
export function replayFor(
  { from, resume, limitMessages, limitBytes }: SubscribeRequest,
  topics: readonly Topic[],
  epoch: number,
  position: number,
): Replay {
  const batches: StoredBatch[] = []
  const gaps: TopicGap[] = []
  const begins: SeenTopic[] = []
  if (resume && resume.epoch !== epoch) {
    // Another life of the broker: what was published in it before now is missing, and what the old one still had.
    for (const topic of topics) add(topic, topic.replay('all'), topic.missingFrom({ seq: 1 }))
  } else if (resume) {
    const seen = new Map(resume.seen.map(([topic, seq]) => [topic, seq]))
    for (const topic of topics) {
      const resumed = topic.resume(resume, seen.get(topic.name))
      add(topic, resumed.batches, resumed.gap)
    }
  } else {
    for (const topic of topics) add(topic, topic.replay(from), topic.missingFrom(from))
  }
  function add({ name, seq, epoch }: Topic, found: readonly StoredBatch[], gap: TopicGap | undefined): void {
    for (const batch of found) batches.push(batch)
    if (gap) gaps.push(gap)
    if (begins.length < maxSeen) begins.push([name, found[0] ? found[0].seq - 1 : seq, epoch])
  }
  batches.sort((a, b) => a.position - b.position)
  const first = batches[0]?.position
  const recovered = resume === null || (resume.epoch === epoch && gaps.length === 0)
  const begin = first === undefined ? position : first - 1
  return { reply: { epoch, position: begin, recovered, gaps, seen: begins, limitMessages, limitBytes }, batches }
}
