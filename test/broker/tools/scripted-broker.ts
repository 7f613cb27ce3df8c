/** A broker that answers as the test says, on a real server: for what a real one does too rarely, or never should. */
import { Provider, type Request, Server } from 'signalbox/socket'
import { BatchHeader } from '../../../broker/shared/batch.ts'
import { brokerChannel } from '../../../broker/shared/broker-channel.ts'
import { encodeReply } from '../../../broker/shared/replies.ts'
import { type BrokerRequest, decodeRequest } from '../../../broker/shared/requests.ts'

/** What it answers to one kind of request; a throw is a refusal, a promise an answer that takes its time. */
export type Script = {
  [Op in BrokerRequest['op']]?: (request: Extract<BrokerRequest, { op: Op }>) => unknown
}

export const hello = { epoch: 1, sender: '', maxMessageBytes: 1_000_000, features: [] }
export const subscribed = {
  ...{ epoch: 1, position: 0, recovered: true, gaps: [], seen: [], limitMessages: 10, limitBytes: 1_000 },
}

export class ScriptedBroker implements AsyncDisposable {
  readonly server: Server
  readonly asked: string[] = []
  /** Topics of the batches that came, and those parcels. */
  readonly topics: string[] = []
  readonly parcels: Request[] = []
  script: Script
  /** Keeps the credit of every parcel. */
  holds = false
  #provider: Provider | undefined
  readonly #watches: (() => void)[] = []

  constructor(server: Server, script: Script) {
    this.server = server
    this.script = script
  }

  static async listen(script: Script = {}, port = 0): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker(await Server.listen({ port, graceMs: 20 }), script)
    await broker.appear()
    return broker
  }

  get url(): string {
    return this.server.url
  }

  async appear(): Promise<void> {
    this.#provider = await Provider.connect(this.url, brokerChannel)
    this.#provider.serve((request) => this.#take(request), { concurrency: 1_000 })
  }

  /** Leaves the channel: what clients wait for fails, or in good order, once all that has come is answered. */
  async leave(inGoodOrder = false): Promise<void> {
    const provider = this.#provider
    this.#provider = undefined
    if (inGoodOrder) await provider?.drain({ timeoutMs: 200 })
    for (const end of this.#watches.splice(0)) end()
    await provider?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave()
    await this.server.close()
  }

  #take(request: Request): Promise<Uint8Array> | undefined {
    const bytes = request.payload
    if (bytes[0] !== 1) return this.#answer(decodeRequest(bytes))
    if (this.holds) request.hold()
    this.parcels.push(request)
    for (let at = 0; at < bytes.length; ) {
      const header = new BatchHeader(bytes, at)
      this.topics.push(header.topic)
      at = header.end
    }
    return undefined
  }

  async #answer(request: BrokerRequest): Promise<Uint8Array> {
    this.asked.push(request.op)
    const scripted = this.script[request.op] as ((request: BrokerRequest) => unknown) | undefined
    if (scripted) return encodeReply(await scripted(request))
    if (request.op === 'hello') return encodeReply(hello)
    if (request.op === 'subscribe') return encodeReply(subscribed)
    if (request.op === 'flush') return encodeReply({ taken: 0, refused: 0 })
    if (request.op === 'watch') await new Promise<void>((resolve) => this.#watches.push(resolve))
    return encodeReply(true)
  }
}

/** What a broker that is closing throws. */
export const closing = (): never => {
  throw Object.assign(new Error('closing'), { code: 'BROKER_CLOSED', number: 4009, retryable: true })
}
