/**
 * Matches topics among many subscriptions, in this process.
 *
 * The one place in bench/ that reaches into the broker: a million subscriptions over sockets would measure the setting
 * up. Half of the topics' patterns have a `*` inside, half end in `**`, as the telemetry of many sites would.
 */
import { Matcher } from '../../broker/hub/matcher.ts'
import type { MatchJob } from '../jobs.ts'
import type { Line } from '../line.ts'
import { percentile } from '../statistics.ts'

const devicesPerSite = 100
const sampled = 200_000
/** Topics that fit into the matcher's cache. */
const familiar = 1_000

export async function match(job: MatchJob, line: Line): Promise<void> {
  const matcher = new Matcher<number>()
  for (let n = 0; n < job.subscriptions; n++) matcher.add(patternOf(n), n)
  line.tell('ready', { url: '' })
  await line.hear('go')
  const random = randomFrom(42)
  const anyTopic = (): string => topicOf(Math.floor(random() * job.subscriptions), Math.floor(random() * 1000))
  const few = Array.from({ length: familiar }, anyTopic)
  const uncached = time(anyTopic, (topic) => matcher.matchUncached(topic))
  const cached = time(
    () => few[Math.floor(random() * familiar)] as string,
    (topic) => matcher.match(topic),
  )
  line.tell('done', {
    figures: {
      p50: percentile(uncached.samples, 0.5),
      p99: percentile(uncached.samples, 0.99),
      cachedP50: percentile(cached.samples, 0.5),
      cachedP99: percentile(cached.samples, 0.99),
    },
    // Every topic has its pattern: a miss is a lost message.
    lost: uncached.misses + cached.misses,
  })
}

function patternOf(n: number): string {
  const [site, device] = [Math.floor(n / devicesPerSite), n % devicesPerSite]
  return n % 2 === 0 ? `site.${site}.*.d${device}.temperature` : `site.${site}.hall.d${device}.**`
}

function topicOf(n: number, reading: number): string {
  const [site, device] = [Math.floor(n / devicesPerSite), n % devicesPerSite]
  return n % 2 === 0 ? `site.${site}.h${reading}.d${device}.temperature` : `site.${site}.hall.d${device}.r${reading}`
}

function time(
  topic: () => string,
  find: (topic: string) => readonly number[],
): { readonly samples: number[]; readonly misses: number } {
  for (let i = 0; i < 20_000; i++) find(topic())
  const samples: number[] = []
  let misses = 0
  for (let i = 0; i < sampled; i++) {
    const name = topic()
    const startMs = performance.now()
    const found = find(name)
    samples.push((performance.now() - startMs) * 1000)
    if (found.length === 0) misses++
  }
  return { samples, misses }
}

/** The same numbers in every run. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
