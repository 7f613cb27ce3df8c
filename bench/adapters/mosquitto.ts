/** Mosquitto, an MQTT server in C. */
import type { Adapter } from '../contract.ts'
import { publisher, requester, responder, subscriber } from './mqtt.ts'

export const mosquitto: Adapter = {
  name: 'mosquitto',
  packages: ['mqtt'],
  hasPatterns: true,
  hasRoutes: true,
  styles: ['callback'],
  server: {
    kind: 'native',
    command: 'mosquitto',
    install: 'apt-get install mosquitto',
    // By default it drops what a subscriber is more than 1,000 messages behind with.
    config: (port) =>
      `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true\nlog_type error\n`,
    args: (config) => ['-c', config],
    url: (port) => `mqtt://127.0.0.1:${port}`,
  },
  publisher,
  subscriber,
  requester,
  responder,
}
