/** The public names of the broker. Floor 16. */
export { type Identity, RemoteError, SignalboxError, socketErrors } from '#socket'
export { Broker, type BrokerStats, type LocalClientOptions } from './broker.ts'
export type { Client } from './client/client.ts'
export type { ClientLimits, ClientStats } from './client/client-stats.ts'
export { connect } from './client/connect.ts'
export type { Headers, Message } from './client/message.ts'
export type {
  ClientOptions,
  Delivery,
  Overflow,
  PublishOptions,
  RunOptions,
  SubscribeOptions,
  WaitOptions,
} from './client/options.ts'
export type { Durability, Receipt } from './client/publishing/receipt.ts'
export type { PubSub } from './client/pubsub.ts'
export type { Status } from './client/status.ts'
export type { Subscription } from './client/subscription.ts'
export type { AttachOptions, BrokerOptions, TopicOptions } from './hub/options.ts'
export { brokerErrors, type ErrorCode, errors } from './shared/errors.ts'
export type { Gap } from './shared/gap.ts'
export type { From } from './shared/requests.ts'
