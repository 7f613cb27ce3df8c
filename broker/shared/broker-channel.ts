/**
 * The channel on which clients find the broker.
 *
 * Floor 0, pure.
 */
import type { Rule } from '#base/verify'

/**
 * The channel that a broker provides, unless another is chosen. Fixed, so that clients need to know the address only.
 */
export const brokerChannel = '5167a1b0-0000-4000-8000-000000000001'

export const isChannel: Rule = {
  expected: 'a UUID',
  test: (value) => typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value),
}
