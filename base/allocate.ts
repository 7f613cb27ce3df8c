/**
 * New memory for bytes.
 *
 * Floor 0. V8 keeps it outside of its heap, and frees it when it collects young objects, which it does when enough
 * objects have been made. A program that moves many bytes in few objects would wait too long for that: dead arrays pile
 * up, each new one is memory that the system has to clear and that no processor cache has, and V8 marks its whole heap
 * over and over because of them. So where they pile up, garbage is made that brings the next collection nearer. That
 * halves the processor time of a broker at 1 KiB a message and above: docs/decisions/0024-collected-sooner.md.
 */

const NodeBuffer: typeof Buffer | undefined = globalThis.Buffer
// Takes half a microsecond. Not an import: a browser has neither it nor what it is for.
const heapStatistics = globalThis.process?.getBuiltinModule?.('v8')?.getHeapStatistics

/** Of what is smaller there are enough objects. */
const largeBytes = 64 * 1024
/** May pile up without more ado. */
const slackBytes = 8 * 1024 * 1024
const bytesPerElement = 8

/** What was outside of the heap when it was last looked at, and what V8 left there when it last collected. */
let lastBytes = Number.POSITIVE_INFINITY
let leftBytes = 0
/** The latest, so that the compiler cannot leave it out. */
let garbage: readonly unknown[] = []
void garbage

/** A new array whose content is not cleared, with memory of its own (never a slice of a shared pool). */
export function allocate(size: number): Uint8Array {
  if (size >= largeBytes) collectSooner(size)
  return NodeBuffer ? NodeBuffer.allocUnsafeSlow(size) : new Uint8Array(size)
}

/** The same for what is small and many: up to 4 KiB come from Node's pool of 8 KiB pieces, without a call into it. */
export const allocateSmall: (size: number) => Uint8Array = NodeBuffer
  ? (size) => NodeBuffer.allocUnsafe(size)
  : (size) => new Uint8Array(size)

/** Makes as much garbage as is allocated, once so much more lies outside of the heap than V8 last left there. */
function collectSooner(size: number): void {
  if (heapStatistics === undefined) return
  const { external_memory: bytes } = heapStatistics()
  if (bytes < lastBytes) leftBytes = bytes
  lastBytes = bytes
  if (bytes < leftBytes + slackBytes) return
  // In pieces: what is larger V8 keeps apart from young objects.
  for (let left = size; left >= largeBytes; left -= largeBytes) garbage = new Array(largeBytes / bytesPerElement)
}
