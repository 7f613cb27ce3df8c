/**
 * Paths of unix sockets: what may be wrong with one, and what a server that was killed has left there.
 *
 * Floor 1. Node only.
 */
import { type BigIntStats, existsSync, lstatSync, renameSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { newId } from '#base/identifier'

/** The system's structure has room for so many bytes of it; a longer path is cut off there without a word. */
const maxPathBytes = process.platform === 'linux' ? 107 : 103

/** What is wrong with the path, in words; before listening is tried, or after it failed with `error`. */
export function pathFault(path: string, error?: Error & { code?: string }): string | undefined {
  const bytes = Buffer.byteLength(path)
  if (process.platform !== 'win32' && bytes > maxPathBytes) {
    return `the path has ${bytes} bytes, and a unix socket at most ${maxPathBytes}`
  }
  const { code } = error ?? {}
  // Of a folder that is not there Node says EACCES too.
  if (error !== undefined && !existsSync(dirname(path))) return `${code}, its folder does not exist`
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return `${code}, this user may not make a socket there`
  if (code === 'EADDRINUSE') {
    return `${code}, ${isSocket(path) ? 'another server listens there' : 'something that is no socket lies there'}`
  }
  return undefined
}

/** Removes a socket that nobody listens on: a server that was killed leaves its file behind. False if it is none. */
export async function removeAbandoned(path: string): Promise<boolean> {
  try {
    const before = statOf(path)
    if (!before.isSocket() || !(await isDead(path))) return false
    // Two servers may find it dead at once, and one of them listen there by now. What is moved away is looked at again.
    const aside = `${path}.${newId()}`
    renameSync(path, aside)
    if (isSame(before, statOf(aside))) {
      rmSync(aside)
      return true
    }
    renameSync(aside, path)
    return false
  } catch (error) {
    // It was removed meanwhile by another server; who is the first to listen there has it.
    return (error as { code?: string }).code === 'ENOENT'
  }
}

/**
 * Returns what stops a server that listens at `path` by `stop`, and leaves the socket there alone if it is not the same
 * any more. The system's part of closing removes whatever has the name, so that of another is moved away for so long.
 */
export function leavingOthers(path: string, stop: () => void): () => void {
  const own = found(path)
  return () => {
    const there = found(path)
    const isOthers = own !== undefined && there !== undefined && !isSame(own, there)
    const aside = `${path}.${newId()}`
    const isMoved = isOthers && moved(path, aside)
    stop()
    if (isMoved) moved(aside, path)
  }
}

function found(path: string): BigIntStats | undefined {
  try {
    return statOf(path)
  } catch {
    return undefined
  }
}

/** Where this user may not move it, the system does not remove it either. */
function moved(from: string, to: string): boolean {
  try {
    renameSync(from, to)
    return true
  } catch {
    return false
  }
}

const statOf = (path: string): BigIntStats => lstatSync(path, { bigint: true })

/** The same file, and not another in its place: an inode may be used again at once. */
const isSame = (one: BigIntStats, two: BigIntStats): boolean => one.ino === two.ino && one.mtimeNs === two.mtimeNs

function isSocket(path: string): boolean {
  try {
    return lstatSync(path).isSocket()
  } catch {
    return false
  }
}

function isDead(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path }, () => {
      probe.destroy()
      resolve(false)
    })
    probe.once('error', (error: Error & { code?: string }) => resolve(error.code === 'ECONNREFUSED'))
  })
}
