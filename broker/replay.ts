/**
 * What a subscription gets when it begins: part of the history, or what it missed in an interruption.
 *
 * Floor 6, pure.
 */
import type { StoredBatch } from './log/memory.ts'
import type { Topic } from './topic.ts'
import type { Gap, SubscribeReply, SubscribeRequest } from './wire.ts'

export interface Replay {
  readonly reply: SubscribeReply
  /** Batches in the order of their positions. */
  readonly batches: readonly StoredBatch[]
}

/** `position` is that of the broker's latest message. */
export function replayFor(
  { from, resume }: SubscribeRequest,
  topics: readonly Topic[],
  epoch: number,
  position: number,
): Replay {
  const batches: StoredBatch[] = []
  const gaps: Gap[] = []
  if (resume && resume.epoch !== epoch) {
    // Another life of the broker: what was published in it before now is missing, and what the old one still had.
    for (const topic of topics) add(topic.replay('all'), topic.missingFrom({ seq: 1 }))
  } else if (resume) {
    const seen = new Map(resume.seen)
    for (const topic of topics) {
      const resumed = topic.resume(resume, seen.get(topic.name))
      add(resumed.batches, resumed.gap)
    }
  } else {
    for (const topic of topics) add(topic.replay(from), topic.missingFrom(from))
  }
  function add(found: readonly StoredBatch[], gap: Gap | undefined): void {
    batches.push(...found)
    if (gap) gaps.push(gap)
  }
  batches.sort((a, b) => a.position - b.position)
  const first = batches[0]?.position
  const recovered = resume === null || (resume.epoch === epoch && gaps.length === 0)
  return { reply: { epoch, position: first === undefined ? position : first - 1, recovered, gaps }, batches }
}
