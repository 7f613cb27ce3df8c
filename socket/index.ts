/** The public names of the socket layer. Floor 9. */
export { type Cancel, type Clock, systemClock } from '#base/clock'
export { type ErrorEntry, type ErrorExtras, SignalboxError, socketErrors } from '#base/errors'
export { newId } from '#base/identifier'
export { Consumer } from './consumer.ts'
export { RemoteError } from './failure.ts'
export { maxFrameBytes } from './frame.ts'
export { Link, type LinkStats } from './link.ts'
export type {
  ConsumerOptions,
  LinkEvent,
  LinkOptions,
  ListenAddress,
  ProviderOptions,
  ReconnectOptions,
  SendOptions,
  ServeOptions,
  ServerEvent,
  ServerOptions,
  TlsOptions,
} from './options.ts'
export { linkDefaults, linkRules, serverRules } from './options.ts'
export type { Identity, LinkInfo, PeerInfo, Role } from './peer.ts'
export { type Answer, type Handler, Provider } from './provider.ts'
export { Request } from './request.ts'
export { Server, type ServerStats } from './server.ts'
