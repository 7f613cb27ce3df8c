/** Starts an adapter's server on a free loopback port, and stops it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { Child, complaintsOf, keepTrackOf } from './child.ts'
import type { Adapter, NativeServer } from './contract.ts'

const startTimeoutMs = 10_000
const collectTimeoutMs = 10_000
const stopTimeoutMs = 2_000

export interface Service {
  readonly url: string
  readonly pid: number
  /** Lets go of what it does not need any more, where it can be told to. */
  collect(): Promise<void>
  stop(): Promise<void>
}

export async function startService(adapter: Adapter): Promise<Service> {
  if (adapter.server.kind === 'native') return await startNative(adapter.server)
  const child = new Child({ role: 'serve', adapter: adapter.name })
  try {
    const { url } = await child.line.hear('ready', startTimeoutMs)
    const collect = async (): Promise<void> => {
      child.line.tell('collect', null)
      await child.line.hear('collected', collectTimeoutMs)
    }
    return { url, pid: child.pid, collect, stop: () => child.stop() }
  } catch (error) {
    await child.stop()
    throw error
  }
}

/** Whether a command is on PATH. */
export function isInstalled(command: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

async function startNative(server: NativeServer): Promise<Service> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-bench-'))
  const config = join(folder, 'server.conf')
  writeFileSync(config, server.config(port))
  const child = spawn(server.command, server.args(config), { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  keepTrackOf(child)
  const complaints = complaintsOf(child)
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const stop = async (): Promise<void> => {
    await end(child, exited)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const failed = exited.then(() => Promise.reject(new Error(`${server.command} ended: ${complaints()}`)))
    await Promise.race([answers(port), failed])
    return { url: server.url(port), pid: child.pid ?? 0, collect: async () => {}, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function end(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
  await exited
  clearTimeout(timer)
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** Resolves once somebody listens on the port. */
async function answers(port: number): Promise<void> {
  const deadline = Date.now() + startTimeoutMs
  while (Date.now() < deadline) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('close', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (isThere) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`nothing listens on port ${port} after ${startTimeoutMs} ms`)
}
