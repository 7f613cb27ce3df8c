/** A peer that reads slowly gets all that was sent before the end: it was cut a second after, in the middle. */
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { newId } from '../../../base/identifier.ts'
import { listen } from '../../../socket/transport/node/listen.ts'
import type { Port } from '../../../socket/transport/port.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { Recording } from '../tools/recording.ts'
import { until } from '../tools/until.ts'

it('a peer that reads slowly gets all that was sent before the end', async () => {
  const path = join(tmpdir(), `${newId()}.sock`)
  const accepted: Port[] = []
  const settings = { clock: systemClock, handshakeTimeoutMs: 5_000, reserve: () => () => {} }
  const listener = await listen({ path }, settings, (port) => accepted.push(port))
  const peer = connect(path)
  await once(peer, 'connect')
  const port = await until('it is accepted', () => accepted[0])
  port.attach(new Recording())
  const payload = Buffer.alloc(60_000)
  const count = 60
  for (let sent = 0; sent < count; sent++) port.send(Kind.DATA, 0, 1, 1, payload, 0, payload.length)
  port.close()
  let received = 0
  const closed = once(peer, 'close')
  void (async () => {
    for (; !peer.readableEnded; await sleep(50)) received += peer.read()?.length ?? 0
  })()
  await closed
  expect(received).toBe(count * (16 + payload.length))
  await listener.close()
  rmSync(path, { force: true })
})
