/** Every workload, in the order in which they run. */
import { delivery } from './delivery.ts'
import { idleSubscribers } from './idle-subscribers.ts'
import { lonePublish } from './lone-publish.ts'
import { matching } from './matching.ts'
import { requests } from './requests.ts'
import { smallClients } from './small-clients.ts'
import type { Workload } from './workload.ts'

const kib = 1024
const size = 128

export const workloads: readonly Workload[] = [
  delivery({ name: '1-to-1-16b', title: '1 to 1, 16 B', size: 16 }),
  delivery({ name: '1-to-1-128b', title: '1 to 1, 128 B', size: 128 }),
  delivery({ name: '1-to-1-1kib', title: '1 to 1, 1 KiB', size: kib }),
  delivery({ name: '1-to-1-16kib', title: '1 to 1, 16 KiB', size: 16 * kib }),
  delivery({ name: '1-to-1-1mib', title: '1 to 1, 1 MiB', size: kib * kib }),
  delivery({ name: '1-to-10', title: '1 publisher to 10 subscribers, 128 B', size, subscribers: 10 }),
  delivery({ name: '10-to-1', title: '10 publishers to 1 subscriber, 128 B', size, publishers: 10 }),
  delivery({
    name: '1000-topics',
    title: '1,000 topics in turn, one subscription to all, 128 B',
    size,
    topics: 1_000,
    patterns: 'one',
  }),
  delivery({
    name: '1000-subscriptions',
    title: '1,000 topics in turn, a pattern for each, 128 B',
    size,
    topics: 1_000,
    patterns: 'each',
  }),
  requests('request', 'request and reply, one at a time, 128 B', 1),
  requests('request-100', 'request and reply, 100 outstanding, 128 B', 100),
  lonePublish,
  ...[false, true].flatMap((isBusy) => {
    const [suffix, circumstance] = isBusy ? ['-busy', ', one core taken'] : ['', '']
    return [
      smallClients({
        name: `small-clients${suffix}`,
        title: `1,000 clients and messages in a ring, 128 B${circumstance}`,
        inPairs: false,
        isBusy,
      }),
      smallClients({
        name: `small-pairs${suffix}`,
        title: `1,000 clients, a message between each two, 128 B${circumstance}`,
        inPairs: true,
        isBusy,
      }),
    ]
  }),
  idleSubscribers,
  matching('matching-1k', 'a topic among 1,000 subscriptions', 1_000),
  matching('matching-100k', 'a topic among 100,000 subscriptions', 100_000),
  matching('matching-1m', 'a topic among 1,000,000 subscriptions', 1_000_000),
]
