/** The public names of the broker. Floor 15. */
export { SignalboxError } from '#socket'
export { Broker, type BrokerStats, type LocalClientOptions } from './broker.ts'
export type { Client, ClientStats } from './client/client.ts'
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
export type { Receipt } from './client/publisher.ts'
export type { Status } from './client/status.ts'
export type { Subscription } from './client/subscription.ts'
export type { HubStats } from './hub/hub.ts'
export type { AttachOptions, BrokerOptions, HubOptions, TopicOptions } from './hub/options.ts'
export { brokerErrors } from './shared/errors.ts'
export type { Gap } from './shared/gap.ts'
export type { From } from './shared/requests.ts'
