/** The public names of the socket layer. It provides the transports of the operating system. Floor 11. */
import { socketTransports } from './transport/node/dial.ts'
import { provideTransports } from './transport/transports.ts'

export { type Cancel, systemClock } from '#base/clock'
export { type ErrorEntry, type ErrorExtras, SignalboxError, socketErrors } from '#base/errors'
export { newId } from '#base/identifier'
export type { OwnClock as Clock } from '#base/own-clock'
export { type Answer, type Handler, Provider } from './client/answering/provider.ts'
export { Request } from './client/answering/request.ts'
export { Consumer } from './client/calling/consumer.ts'
export { Link, type LinkStats } from './client/link.ts'
export type {
  AcceptOptions,
  ConsumerOptions,
  LinkEvent,
  LinkOptions,
  OpenOptions,
  PostOptions,
  ProviderOptions,
  ReconnectOptions,
  SendOptions,
  ServeOptions,
  ServerEvent,
  ServerOptions,
  TlsOptions,
  TransferOptions,
  WaitOptions,
} from './options.ts'
export { linkDefaults, linkRules, serverRules } from './options.ts'
export { type LocalLinkOptions, Server, type ServerStats } from './server/server.ts'
export type {
  Dial,
  DialSettings,
  FrameSink,
  Listen,
  ListenAddress,
  Listener,
  ListenSettings,
  Port,
  PortOwner,
} from './transport/port.ts'
export {
  type SimulatedPorts,
  type SimulatedSide,
  type SimulationOptions,
  simulatedPorts,
} from './transport/simulated.ts'
export { RemoteError } from './wire/failure.ts'
export { maxFrameBytes } from './wire/frame.ts'
export type { Applicant, Identity, LinkInfo, PeerInfo, Role } from './wire/peer.ts'

provideTransports(socketTransports)
