/**
 * Connects to a broker elsewhere.
 *
 * Floor 11.
 */

import { newId } from '#base/identifier'
import { defined } from '#base/verify'
import { Link, linkDefaults } from '#socket/client'
import { brokerChannel } from '../shared/broker-channel.ts'
import { Client, type ClientSettings } from './client.ts'
import { type ClientOptions, verifyClientOptions } from './options.ts'
import { StatusFeed } from './status.ts'

/** The client's settings, from its options and the defaults. */
export function clientSettings(options: ClientOptions): ClientSettings {
  return { ...linkDefaults, producerId: newId(), channel: brokerChannel, ...defined(options) }
}

/**
 * Connects to the broker at `tcp://host:port`, `tls://host:port` or `unix:/path`. Rejects with CONNECT_FAILED when
 * there is no server, with TIMEOUT when the server has no broker, with UNAUTHENTICATED or INVALID_OPTION.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  verifyClientOptions(options)
  const { producerId: _producerId, channel: _channel, ...linkOptions } = options
  const feed = new StatusFeed()
  const link = await Link.connect(url, {
    ...linkOptions,
    // 'closed' is told by the client, when everything of it has settled.
    observe: (event) => event.type !== 'closed' && feed.tell(event),
  })
  const client = new Client(link, clientSettings(options), feed)
  try {
    await client.greet()
  } catch (error) {
    await client.close()
    throw error
  }
  return client
}
