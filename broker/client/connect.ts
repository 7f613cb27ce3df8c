/**
 * Connects to a broker elsewhere.
 *
 * Floor 13.
 */
import { traced } from '#base/caller'
import { deferred } from '#base/deferred'
import { SignalboxError, socketError } from '#base/errors'
import { newId } from '#base/identifier'
import { wholeClock } from '#base/own-clock'
import { defined, invalid } from '#base/verify'
import { Link, type LinkOptions, linkDefaults } from '#socket/client'
import { brokerChannel } from '../shared/broker-channel.ts'
import { Client, type ClientSettings } from './client.ts'
import { type ClientOptions, verifyClientOptions } from './options.ts'
import { StatusFeed } from './status.ts'

/** Milliseconds between two tries of `waitForBroker`. */
const againMs = 500

/** The client's settings, from its options and the defaults. */
export function clientSettings(options: ClientOptions): ClientSettings {
  const { waitForBroker: _waitForBroker, ...own } = options
  const clock = wholeClock(own.clock ?? linkDefaults.clock)
  return { ...linkDefaults, producerId: newId(clock), channel: brokerChannel, ...defined(own), clock } as ClientSettings
}

/**
 * Connects to the broker at `tcp://host:port`, `tls://host:port` or `unix:/path`. Rejects with CONNECT_FAILED when
 * there is no server, with TIMEOUT when the server has no broker, with UNAUTHENTICATED or INVALID_OPTION. With
 * `waitForBroker` it resolves when there is one, and until then tries again.
 */
export function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  return traced(connect, () => connected(url, options))
}

async function connected(url: string, options: ClientOptions): Promise<Client> {
  if (typeof url !== 'string') throw invalid('connect', 'url', "an address such as 'tcp://127.0.0.1:9090'", url)
  verifyClientOptions(options)
  const { producerId: _producerId, channel: _channel, waitForBroker, ...linkOptions } = options
  const feed = new StatusFeed()
  const given = defined<object>({ ...linkOptions, observe: feed.tellOfLink.bind(feed) }) as LinkOptions
  const settings = clientSettings(options)
  const link = await (waitForBroker ? persistentLink(url, given) : Link.connect(url, given))
  const client = new Client(link, settings, feed)
  try {
    await client.greet(waitForBroker ? Number.POSITIVE_INFINITY : settings.connectTimeoutMs, options.signal)
  } catch (error) {
    await client.close()
    throw error
  }
  return client
}

/** Connects however long it takes, unless the same would happen again. */
async function persistentLink(url: string, options: LinkOptions): Promise<Link> {
  const { signal } = options
  const clock = wholeClock(options.clock ?? linkDefaults.clock)
  for (;;) {
    try {
      return await Link.connect(url, options)
    } catch (error) {
      if (!(error instanceof SignalboxError) || !error.retryable) throw error
    }
    const passed = deferred<void>()
    const wake = (): void => passed.resolve()
    const stop = clock.after(againMs, wake, true)
    signal?.addEventListener('abort', wake, { once: true })
    await passed.promise
    stop()
    signal?.removeEventListener('abort', wake)
    if (signal?.aborted) throw socketError('ABORTED', undefined, { cause: signal.reason })
  }
}
