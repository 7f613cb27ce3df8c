/** The public names of the broker. Floor 9. */
export { SignalboxError } from '#socket'
export { Broker, type BrokerStats, type LocalClientOptions } from './broker.ts'
export type { Client, ClientStats } from './client.ts'
export { connect } from './connect.ts'
export { brokerErrors } from './errors.ts'
export type { HubStats } from './hub.ts'
export type { Headers, Message } from './message.ts'
export type {
  AttachOptions,
  BrokerOptions,
  ClientOptions,
  Delivery,
  HubOptions,
  Overflow,
  PublishOptions,
  RunOptions,
  SubscribeOptions,
  TopicOptions,
  WaitOptions,
} from './options.ts'
export type { Receipt } from './publisher.ts'
export type { Status } from './status.ts'
export type { Subscription } from './subscription.ts'
export type { From, Gap } from './wire.ts'
