/**
 * What a publisher attaches to a message, as bytes. [BROKER 2.6]
 *
 * Floor 6, pure.
 */
import { defined } from '#base/verify'
import { encodeValue } from '../../shared/codec.ts'
import type { Attributes } from '../message.ts'

type Given = { readonly [Name in keyof Attributes]: Attributes[Name] | undefined }

/** The attributes' bytes, if there are any. */
export function encodeAttributes({ id, headers, correlationId, replyTo }: Given): Uint8Array | undefined {
  const given: Attributes = defined({ id, headers, correlationId, replyTo }) as Attributes
  return Object.keys(given).length === 0 ? undefined : encodeValue(given)
}
