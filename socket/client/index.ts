/** The client half's public names: what runs where there is no server, for layers above that are to run there. Floor 11. */
export { SignalboxError } from '#base/errors'
export type {
  ConsumerOptions,
  LinkEvent,
  LinkOptions,
  OpenOptions,
  PostOptions,
  ProviderOptions,
  ReconnectOptions,
  SendOptions,
  ServeOptions,
  TransferOptions,
  WaitOptions,
} from '../options.ts'
export { linkDefaults, linkRules } from '../options.ts'
export { type Compactable, Compaction } from '../time/compaction.ts'
export type { Dial, DialSettings, Port, PortOwner } from '../transport/port.ts'
export { provideTransports } from '../transport/transports.ts'
export { RemoteError } from '../wire/failure.ts'
export { maxFrameBytes } from '../wire/frame.ts'
export type { Identity, PeerInfo } from '../wire/peer.ts'
export { Provider } from './answering/provider.ts'
export { Request } from './answering/request.ts'
export { Consumer } from './calling/consumer.ts'
export { Link, type LinkStats } from './link.ts'
