/**
 * Puts the caller's own frames on an error that comes from a later turn.
 *
 * Floor 0. An error that a timer or a socket made has a stack without a line of the program that waits for it.
 */
type Stacked = { stack?: string | undefined }

/** Settles as what `act` returns does; a rejection shows where `method`, the function asked, was called. */
export async function traced<T>(method: (...given: never[]) => unknown, act: () => Promise<T>): Promise<T> {
  const caller: Stacked = {}
  Error.captureStackTrace?.(caller, method)
  try {
    return await act()
  } catch (error) {
    // The first line is the name of what was thrown.
    const frames = caller.stack?.slice(caller.stack.indexOf('\n') + 1)
    if (error instanceof Error && frames && !error.stack?.includes(frames)) {
      error.stack = `${error.stack ?? String(error)}\n${frames}`
    }
    throw error
  }
}
