/**
 * The stream that parcels leave on, opened so that it also says which of several brokers has left.
 *
 * Floor 6. While one is leaving another may be there already, and be lost before the first has gone.
 */
import type { Consumer, Link } from '#socket/client'

/** Told how many brokers there are, and when one has left, why and how many that came before it are still there. */
export type ObserveBrokers = (brokers: number, error?: Error, before?: number) => void

export function openStream(link: Link, channel: string, observe: ObserveBrokers): Consumer {
  let known: Consumer['peers'] = []
  const consumer: Consumer = link.lazyConsumer(channel, {
    observe: (brokers, error) => {
      const { peers } = consumer
      const gone = known.findIndex((peer) => !peers.includes(peer))
      known = peers
      observe(brokers, error, Math.max(0, gone))
    },
  })
  return consumer
}
