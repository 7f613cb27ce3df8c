/** The public names of the socket layer. Floor 10. */
export { allocate, copy, decodeText, encodeText, readU32, slice, writeU32 } from './bytes.ts'
export { type Cancel, type Clock, systemClock } from './clock.ts'
export { Consumer } from './consumer.ts'
export { type Deferred, deferred, handled } from './deferred.ts'
export { type ErrorEntry, type ErrorExtras, SignalboxError, socketError, socketErrors } from './errors.ts'
export { RemoteError } from './failure.ts'
export { Fifo } from './fifo.ts'
export { maxFrameBytes } from './frame.ts'
export { newId } from './identifier.ts'
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
export {
  invalid,
  isBoolean,
  isFunction,
  isInteger,
  isNumber,
  isObject,
  isOneOf,
  isSignal,
  isText,
  type Rule,
  type Rules,
  verify,
} from './verify.ts'
