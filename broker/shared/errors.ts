/**
 * The codes that the broker layer adds to those of the socket layer.
 *
 * Floor 0. Numbers 4xxx on the wire: they concern one broker request and leave the link alone.
 * `docs/errors.md` is kept in step with this table by a test.
 */
import {
  type ErrorEntry,
  type ErrorExtras,
  errorOf,
  type SignalboxError,
  type SocketErrorCode,
  socketErrors,
} from '#base/errors'

export const brokerErrors = {
  INVALID_TOPIC: {
    number: 4001,
    retryable: false,
    meaning: 'The topic name is not one.',
    advice: "Use non-empty segments separated by '.' or '/', without '*', for example 'orders.created'.",
  },
  INVALID_PATTERN: {
    number: 4002,
    retryable: false,
    meaning: 'The subscription pattern is not one.',
    advice: "Use a topic name in which '*' stands for one whole segment and a last '**' for any number of them.",
  },
  INVALID_DATA: {
    number: 4003,
    retryable: false,
    meaning: 'The value cannot be encoded, or the bytes received cannot be decoded.',
    advice: 'Publish what msgpack can carry (plain objects, arrays, strings, numbers, dates), or a Uint8Array.',
  },
  INVALID_BATCH: {
    number: 4004,
    retryable: false,
    meaning: 'A record batch is malformed.',
    advice: 'This is a fault in the client that sent it; update it.',
  },
  INVALID_REQUEST: {
    number: 4005,
    retryable: false,
    meaning: 'The broker does not know this request, or it lacks a field.',
    advice: 'Use the same version of signalbox on both sides.',
  },
  QUEUE_OVERFLOW: {
    number: 4006,
    retryable: false,
    meaning: "More messages came than the subscription's buffer holds, and its overflow policy is 'error'.",
    advice: "Read faster, raise buffer, or choose overflow 'block', 'drop-oldest' or 'drop-newest'.",
  },
  TOO_MANY_TOPICS: {
    number: 4007,
    retryable: false,
    meaning: 'The broker has as many topics as maxTopics or its memory allows.',
    advice: 'Use fewer topic names, or raise maxTopics or maxMemoryBytes.',
  },
  TOO_MANY_SUBSCRIPTIONS: {
    number: 4008,
    retryable: false,
    meaning:
      'The broker has as many subscriptions, of this client or of all, as maxSubscriptions or its memory allows.',
    advice: 'Close those not used, or raise maxSubscriptions or maxMemoryBytes.',
  },
  BROKER_CLOSED: {
    number: 4009,
    retryable: true,
    meaning: 'The broker is closing.',
    advice: 'Connect again; another broker may have taken its place.',
  },
  CONFLICT: {
    number: 4011,
    retryable: false,
    meaning: 'A record was to be changed that somebody else has changed since it was read.',
    advice: 'Read it again, and decide anew; `details` has both revisions.',
  },
} as const satisfies Record<string, ErrorEntry>

export type BrokerErrorCode = keyof typeof brokerErrors

/** Every code that Signalbox gives. */
export type ErrorCode = SocketErrorCode | BrokerErrorCode

/** The whole table: of the socket layer, and of this one. */
export const errors: Readonly<Record<ErrorCode, ErrorEntry>> = { ...socketErrors, ...brokerErrors }

/** Makes an error of the table. `what` says what happened here; the table's advice is appended. */
export function brokerError(code: BrokerErrorCode, what?: string, extras?: ErrorExtras): SignalboxError {
  return errorOf(code, brokerErrors[code], what, extras)
}
