/** Version 1 as it was frozen: the present code reads those bytes and writes them, or old peers are left alone. */
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { Link, Server } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { Kind } from '../../socket/wire/frame.ts'
import { bytes, text } from './tools/house.ts'
import { RawPeer } from './tools/raw-peer.ts'
import { readTranscript } from './tools/transcript.ts'
import { until } from './tools/until.ts'
import { decodeFrames, encodeFrame, type NaiveFrame } from './wire/naive-frame.ts'

/** Whose line it is: that of the client that provides or of the one that consumes. */
const lines = readTranscript<'provider' | 'consumer', keyof typeof Kind>(join(import.meta.dirname, 'transcript-1.txt'))
type Line = (typeof lines)[number]

const frozen = (who: Line['who'], isSaid: boolean, name: Line['name'], at = 0): Buffer => {
  const found = lines.filter((line) => line.who === who && line.isSaid === isSaid && line.name === name)[at]
  if (found === undefined) throw new Error(`the transcript has no ${name} of the ${who}`)
  return found.bytes
}

const parsed = (of: Buffer): NaiveFrame => decodeFrames(of).frames[0] as NaiveFrame

/** Of a failure all but its text, which is for people. */
function comparable(frame: NaiveFrame): string {
  const isFailure = frame.payload.toString().startsWith('{"n":')
  const { message: _message, ...rest } = isFailure ? JSON.parse(frame.payload.toString()) : {}
  return encodeFrame(isFailure ? { ...frame, payload: Buffer.from(JSON.stringify(rest)) } : frame).toString('hex')
}

describe('the transcript of version 1', () => {
  it('has every kind of frame', () => {
    expect(new Set(lines.map(({ name }) => name))).toEqual(new Set(Object.keys(Kind)))
    for (const line of lines) expect([line.name, parsed(line.bytes).kind]).toEqual([line.name, Kind[line.name]])
  })

  it('is what a server reads and writes', async () => {
    const server = await Server.listen({ graceMs: 50 })
    const peers = { provider: await RawPeer.connect(server.url), consumer: undefined as RawPeer | undefined }
    const heard = { provider: 0, consumer: 0 }
    let closing: Promise<void> | undefined
    for (const { who, isSaid, name, bytes: expected } of lines) {
      peers[who] ??= await RawPeer.connect(server.url)
      const peer = peers[who] as RawPeer
      if (name === 'GOAWAY') closing = server.close()
      if (isSaid) {
        peer.write(expected)
        continue
      }
      const frame = await until(`${name} comes to the ${who}`, () => peer.frames[heard[who]])
      heard[who]++
      expect([who, name, comparable(frame)]).toEqual([who, name, comparable(parsed(expected))])
    }
    await closing
  })

  it('is what a client reads and writes', async () => {
    let socket: Socket | undefined
    const said: NaiveFrame[] = []
    let rest: Buffer = Buffer.alloc(0)
    const server = createServer((accepted) => {
      socket = accepted.on('error', () => {})
      accepted.on('data', (chunk: Buffer) => {
        const cut = decodeFrames(Buffer.concat([rest, chunk]))
        said.push(...cut.frames)
        rest = cut.rest
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const next = (): Promise<NaiveFrame> => until('the client says something', () => said.shift())
    const hear = (name: Line['name'], at?: number): void => void socket?.write(frozen('consumer', false, name, at))
    const options = { name: 'consumer', reconnect: false } as const
    const connecting = Link.connect(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, options)

    const { session, ...hello } = JSON.parse((await next()).payload.toString())
    const { session: _session, ...expected } = JSON.parse(parsed(frozen('consumer', true, 'HELLO')).payload.toString())
    expect([hello, typeof session]).toEqual([expected, 'string'])
    hear('WELCOME')
    const link = await connecting
    const opening = link.consumer(JSON.parse(parsed(frozen('consumer', true, 'OPEN')).payload.toString()).channelId)
    expect(encodeFrame(await next())).toEqual(frozen('consumer', true, 'OPEN'))
    hear('ATTACH')
    hear('OPENED')
    const consumer = await opening
    const answer = consumer.send(bytes('question'))
    expect(encodeFrame(await next())).toEqual(frozen('consumer', true, 'DATA'))
    hear('DATA')
    expect(text(await answer)).toBe('answer')
    const failing = consumer.send(bytes('nonsense'))
    expect(encodeFrame(await next())).toEqual(frozen('consumer', true, 'DATA', 1))
    hear('DATA', 1)
    await expect(failing).rejects.toMatchObject({ code: 'REMOTE', message: 'Why.' })
    const closing = link.close()
    expect(encodeFrame(await next())).toEqual(frozen('consumer', true, 'BYE'))
    socket?.destroy()
    await closing
    await new Promise<void>((resolve) => void server.close(() => resolve()))
  })
})
