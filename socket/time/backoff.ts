/**
 * How long to wait before connecting again: exponential, with full jitter.
 *
 * Floor 0, pure. Full jitter (any time from zero to the ceiling) spreads a thousand clients that lost the same server
 * better than a ceiling with a little noise: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function nextDelayMs(attempt: number, minMs: number, maxMs: number, random: number): number {
  return random * Math.min(maxMs, minMs * 2 ** Math.min(attempt, 30))
}
