/**
 * What a client tells of itself when it is asked.
 *
 * Floor 0.
 */
/** What this client holds at the moment, and what was refused so far. */
export interface ClientStats {
  /** Subscriptions of this client. */
  readonly subscriptions: number
  /** Bytes published and waiting for credit. */
  readonly bufferedBytes: number
  /** Messages refused here: the buffer was full, the data could not be encoded, the topic is none ... */
  readonly refused: number
  /** Messages that were sent, and refused by the broker. */
  readonly refusedByBroker: number
  /** Channel ends and streams on its link. */
  readonly channels: number
  readonly streams: number
}

/** What holds for this client: its own limits, cut to those of its broker. */
export interface ClientLimits {
  /** The largest message, with its names and attributes, in bytes. */
  readonly maxMessageBytes: number
}
