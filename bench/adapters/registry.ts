/** Every adapter by name, loaded when it is asked for. */
import type { Adapter } from '../contract.ts'

const loaders: Readonly<Record<string, () => Promise<Adapter>>> = {
  signalbox: async () => (await import('./signalbox.ts')).signalbox,
  before: async () => await (await import('./signalbox.ts')).anotherBuild(process.env['SIGNALBOX_BEFORE'] ?? ''),
  pipe: async () => (await import('../control/pipe.ts')).pipe,
  relay: async () => (await import('../control/relay.ts')).relay,
  echo: async () => (await import('../control/echo.ts')).echo,
  nats: async () => (await import('./nats.ts')).nats,
  redis: async () => (await import('./redis.ts')).redis,
  mosquitto: async () => (await import('./mosquitto.ts')).mosquitto,
  aedes: async () => (await import('./aedes.ts')).aedes,
  socketio: async () => (await import('./socketio.ts')).socketio,
}

/** Measured always: the product, and what raw sockets do. */
export const own = ['signalbox', 'relay', 'pipe', 'echo'] as const
/** Measured when asked for. */
export const peers = ['nats', 'redis', 'mosquitto', 'aedes', 'socketio'] as const

export async function adapterNamed(name: string): Promise<Adapter> {
  const load = loaders[name]
  if (load === undefined) throw new Error(`no adapter is called '${name}'`)
  return await load()
}
