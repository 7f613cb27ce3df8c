/**
 * Finds peers that are gone without saying so. Judged by bytes received, whatever they are.
 *
 * Floor 2. A check every half interval: after one without input a PING goes out, after three the peer counts as gone;
 * that is between 1.5 and 2 intervals after its last byte. A frame begun and not finished for that long is a peer that
 * drips. When this process itself was held up, nothing is judged: what the peer sent may still lie unread. [SOCK 7]
 */
import { none } from '#base/bytes'
import type { Cancel, Clock } from '#base/clock'
import { socketError } from '#base/errors'
import { Kind } from './frame.ts'
import type { Port } from './transport/port.ts'

/** A frame that grows by less than this between two checks is dripping. */
const leastProgressBytes = 1024

/** Starts checking; `lost` is called once, with HEARTBEAT_LOST or FRAME_TIMEOUT. */
export function startHeartbeat(port: Port, intervalMs: number, clock: Clock, lost: (error: Error) => void): Cancel {
  if (intervalMs === Number.POSITIVE_INFINITY) return () => {}
  const checkMs = intervalMs / 2
  let received = port.received
  let silentChecks = 0
  let dripChecks = 0
  let lastCheck = clock.now()
  const stop = clock.every(checkMs, () => {
    const now = clock.now()
    const heldUp = now - lastCheck > checkMs * 2
    const progress = port.received - received
    lastCheck = now
    received = port.received
    silentChecks = progress === 0 && !heldUp ? silentChecks + 1 : 0
    dripChecks = port.isPartial && progress < leastProgressBytes && !heldUp ? dripChecks + 1 : 0
    if (silentChecks >= 3 || dripChecks >= 4) {
      stop()
      lost(socketError(silentChecks >= 3 ? 'HEARTBEAT_LOST' : 'FRAME_TIMEOUT'))
    } else if (silentChecks > 0) {
      port.send(Kind.PING, 0, 0, 0, none, 0, 0)
    }
  })
  return stop
}
