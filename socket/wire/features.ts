/**
 * Features: what a side can do beyond the bare protocol, and what it insists on. Each side names both when a link opens.
 *
 * Floor 0, pure. A feature that nobody here has heard of is ignored; one that the other side insists on ends the link.
 * So a later version can add what both may use, and what neither can do without. [SOCK 3.8]
 */
import { socketError } from '#base/errors'

/** 'header': DATA may begin with a header block. */
export const ownFeatures: readonly string[] = Object.freeze(['header'])

/** Of a side that names none. One for all, for there may be many. */
export const noFeatures: readonly string[] = Object.freeze([])

const maxFeatures = 64
const maxFeatureChars = 64

/** The list that a member of a control frame carries; `undefined` when it is none. A missing one is empty. */
export function readFeatures(value: unknown): readonly string[] | undefined {
  if (value === undefined) return noFeatures
  if (!Array.isArray(value) || value.length > maxFeatures) return undefined
  if (!value.every((each) => typeof each === 'string' && each.length <= maxFeatureChars)) return undefined
  const isOwn = value.length === ownFeatures.length && ownFeatures.every((each, i) => each === value[i])
  return isOwn ? ownFeatures : value
}

/** Throws FEATURE_MISSING when the other side insists on what this one cannot do. */
export function haveFeatures(required: readonly string[]): void {
  const missing = required.filter((feature) => !ownFeatures.includes(feature))
  if (missing.length === 0) return
  const what = `The other side insists on ${missing.map((feature) => JSON.stringify(feature)).join(', ')}.`
  throw socketError('FEATURE_MISSING', what, { details: { missing } })
}
