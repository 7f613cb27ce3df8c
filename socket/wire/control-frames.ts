/**
 * The frames that open links, channel ends and streams carry small JSON objects; here they are written and judged.
 *
 * Floor 1, pure. What a peer sent is checked field by field: a wrong one is BAD_FRAME, nothing is passed on unread.
 * Members that nobody here knows are ignored. [SOCK 3]
 */
import { decodeText, encodeText } from '#base/bytes'
import { socketError } from '#base/errors'
import { invalid, isObject } from '#base/verify'
import { haveFeatures, ownFeatures, readFeatures } from './features.ts'
import { type Identity, noIdentity, type PeerInfo, type Role } from './peer.ts'

/** First in every HELLO. A server that speaks another version says so and closes. */
export const magic = 'signalbox'
export const version = 1
/** A HELLO is small; before it nothing larger is taken. */
export const maxHelloBytes = 16 * 1024

/** From a client, first on every connection. */
export interface Hello {
  readonly name: string
  readonly auth: unknown
  /** Secret of the link, the same at every reconnect: it replaces its own older connection. 16 to 100 characters. */
  readonly session: string
  /** What the client can do. What it insists on has been judged when it is read. */
  readonly features: readonly string[]
}

/** The server's answer. */
export interface Welcome {
  readonly linkId: number
  /** What the server can do. */
  readonly features: readonly string[]
}

/** Opens a channel end. */
export interface Open {
  readonly role: Role
  readonly channelId: string
  readonly shared: boolean
}

/** An identity travels in one frame to every link that is joined with its own. */
const maxIdentityChars = 8 * 1024

/** Of what is told of a link besides. */
export const maxTransportChars = 20
export const maxAddressChars = 300

type Fields = Record<string, unknown>

/** This side insists on nothing. Throws INVALID_OPTION for credentials that JSON cannot carry. */
export function encodeHello(hello: Omit<Hello, 'features'>): Uint8Array {
  const whole = { magic, version, ...hello, features: ownFeatures, requires: [] }
  try {
    return encodeText(JSON.stringify(whole))
  } catch {
    throw invalid('link options', 'auth', 'what JSON can carry', hello.auth)
  }
}

/** Throws VERSION_MISMATCH, FEATURE_MISSING or BAD_FRAME. */
export function decodeHello(bytes: Uint8Array, start: number, end: number): Hello {
  const { magic: word, version: theirs, name, auth, session, ...lists } = fields(bytes, start, end)
  if (word !== magic) throw socketError('BAD_FRAME', 'The peer does not speak Signalbox.')
  if (theirs !== version) {
    const details = { version, actual: theirs }
    // It may be anything, also an object that has no text.
    const what = `The peer speaks version ${JSON.stringify(theirs)}, this server ${version}.`
    throw socketError('VERSION_MISMATCH', what, { details })
  }
  if (!isText(name, 200) || !isText(session, 100) || session.length < 16) throw malformed('HELLO')
  return { name, auth, session, features: agreed('HELLO', lists) }
}

/** This side insists on nothing. */
export function encodeWelcome({ linkId }: Omit<Welcome, 'features'>): Uint8Array {
  return encodeText(JSON.stringify({ linkId, features: ownFeatures, requires: [] }))
}

/** Throws FEATURE_MISSING or BAD_FRAME. */
export function decodeWelcome(bytes: Uint8Array, start: number, end: number): Welcome {
  const { linkId, ...lists } = fields(bytes, start, end)
  if (!Number.isSafeInteger(linkId)) throw malformed('WELCOME')
  return { linkId: linkId as number, features: agreed('WELCOME', lists) }
}

/** The features of the other side, once it is known that this side has those it insists on. */
function agreed(what: string, lists: Fields): readonly string[] {
  const [theirs, required] = [readFeatures(lists['features']), readFeatures(lists['requires'])]
  if (theirs === undefined || required === undefined) throw malformed(what)
  haveFeatures(required)
  return theirs
}

export function encodeOpen(open: Open): Uint8Array {
  return encodeText(JSON.stringify(open))
}

export function decodeOpen(bytes: Uint8Array, start: number, end: number): Open {
  const { role, channelId, shared } = fields(bytes, start, end)
  if ((role !== 'consumer' && role !== 'provider') || typeof shared !== 'boolean' || !isChannelId(channelId)) {
    throw malformed('OPEN')
  }
  return { role, channelId: channelId.toLowerCase(), shared }
}

/**
 * An identity as it reaches other links, which is what JSON keeps of it. Throws INVALID_OPTION for what is no object,
 * so that a hook that finds nobody and returns nothing lets nobody in.
 */
export function plainIdentity(given: unknown): Identity {
  const text = JSON.stringify(given) as string | undefined
  // What JSON makes of it counts: of a Date, and of all that has a `toJSON`, that may be no object.
  const kept: unknown = text === undefined ? undefined : JSON.parse(text)
  if (!isObject.test(given) || !isObject.test(kept)) throw invalid('authenticate', 'identity', 'an object', given)
  if ((text as string).length > maxIdentityChars) {
    throw invalid('authenticate', 'identity', `at most ${maxIdentityChars} characters of JSON`, given)
  }
  return kept as Identity
}

/** Without the address where it is not to be told. */
export function encodePeer(peer: Omit<PeerInfo, 'address'> & Partial<PeerInfo>): Uint8Array {
  return encodeText(JSON.stringify(peer))
}

export function decodePeer(bytes: Uint8Array, start: number, end: number): PeerInfo {
  const { linkId, name, transport, address = '', identity, ...lists } = fields(bytes, start, end)
  const isPlace = isText(transport, maxTransportChars) && isText(address, maxAddressChars)
  const isWhole = Number.isSafeInteger(linkId) && isText(name, 200) && isPlace
  const features = readFeatures(lists['features'])
  if (!isWhole || !isObject.test(identity) || features === undefined) throw malformed('ATTACH')
  const known = Object.keys(identity as Identity).length === 0 ? noIdentity : (identity as Identity)
  return { linkId: linkId as number, name, transport, address, identity: known, features }
}

function fields(bytes: Uint8Array, start: number, end: number): Fields {
  try {
    const value: unknown = JSON.parse(decodeText(bytes, start, end))
    if (typeof value === 'object' && value !== null) return value as Fields
  } catch {
    // Told below.
  }
  throw socketError('BAD_FRAME', 'A control frame does not carry a JSON object.')
}

function isText(value: unknown, maxChars: number): value is string {
  return typeof value === 'string' && value.length <= maxChars
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export function isChannelId(value: unknown): value is string {
  return typeof value === 'string' && uuid.test(value)
}

function malformed(what: string): Error {
  return socketError('BAD_FRAME', `A ${what} frame lacks a field, or has one of the wrong type.`)
}
