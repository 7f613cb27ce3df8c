/** The three places that a client may have its broker in. What is said of a broker holds in each of them. */
import { Broker, type BrokerStats, type Client, type ClientOptions, connect } from 'signalbox'
import { newId } from '../../../base/identifier.ts'
import type { HubOptions } from '../../../broker/hub/options.ts'
import { until } from '../../socket/tools/until.ts'
import { Child } from './child.ts'

export class Place implements AsyncDisposable {
  readonly broker: Broker
  readonly #connect: (options: ClientOptions) => Promise<Client>
  readonly #clients: Client[] = []

  constructor(broker: Broker, newClient: (options: ClientOptions) => Promise<Client>) {
    this.broker = broker
    this.#connect = newClient
  }

  async client(options: ClientOptions = {}): Promise<Client> {
    const client = await this.#connect(options)
    this.#clients.push(client)
    return client
  }

  stats(): BrokerStats {
    return this.broker.stats()
  }

  /** Resolves once what the broker counts is what is expected of it. */
  async counts(expected: Partial<BrokerStats>): Promise<void> {
    const isSo = () =>
      Object.entries(expected).every(([name, value]) =>
        Object.entries(this.stats()).some(([key, actual]) => key === name && actual === value),
      )
    await until(`the broker counts ${JSON.stringify(expected)}`, isSo).catch((error: Error) => {
      throw new Error(`${error.message}, but it counts ${JSON.stringify(this.stats())}`)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    await this.broker.close()
  }
}

/** One server for all brokers that are attached in this test file: each has a channel of its own. */
let server: Promise<string> | undefined

async function startServer(): Promise<string> {
  const { child, url } = await Child.start<{ url: string }>('server')
  process.once('exit', () => child.process.kill('SIGKILL'))
  return url
}

export type OpenPlace = (options?: HubOptions) => Promise<Place>

const listening: OpenPlace = async (options = {}) => {
  const broker = await Broker.listen({ ...options, graceMs: 100 })
  return new Place(broker, (given) => connect(broker.url, given))
}

const attached: OpenPlace = async (options = {}) => {
  server ??= startServer()
  const channel = newId()
  const broker = await Broker.attach(await server, { ...options, channel })
  return new Place(broker, (given) => connect(broker.url, { ...given, channel }))
}

const local: OpenPlace = async (options = {}) => {
  const broker = await Broker.listen({ ...options, graceMs: 100 })
  return new Place(broker, async (given) => broker.client(given))
}

export const places: readonly (readonly [string, OpenPlace])[] = [
  ['a broker that listens', listening],
  ['a broker attached to a server in another process', attached],
  ['a broker in the same process', local],
]
