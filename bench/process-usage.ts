/** What the system says about a process: its CPU time and its memory. Linux only; `NaN` elsewhere. */
import { readFileSync } from 'node:fs'

/** The unit of /proc/<pid>/stat: a hundredth of a second on every Linux that Node runs on. */
const tickUs = 10_000

/** CPU microseconds so far, all threads. */
export function cpuOf(pid: number): number {
  const text = read(`/proc/${pid}/stat`)
  // The name, in brackets, may hold anything: count from behind it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * tickUs
}

/** Resident memory in MiB. */
export function memoryOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? Number.NaN) / 1024
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
