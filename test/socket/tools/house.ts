/**
 * A server and the links to it, of any transport, that go away together at the end of a test.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Consumer, Link, type LinkOptions, type Provider, Server, type ServerOptions } from 'signalbox/socket'
import { newId } from '../../../base/identifier.ts'

export type Place = 'tcp' | 'unix' | 'in-process'

export class House implements AsyncDisposable {
  readonly server: Server
  readonly place: Place
  readonly #links: Link[] = []
  readonly #folder: string | undefined

  constructor(server: Server, place: Place, folder: string | undefined) {
    this.server = server
    this.place = place
    this.#folder = folder
  }

  static async open(place: Place = 'tcp', options: ServerOptions = {}): Promise<House> {
    const folder = place === 'unix' ? mkdtempSync(join(tmpdir(), 'signalbox-')) : undefined
    const where = folder === undefined ? {} : { path: join(folder, 'socket') }
    return new House(await Server.listen({ graceMs: 0, ...where, ...options }), place, folder)
  }

  async link(options: LinkOptions = {}): Promise<Link> {
    const { server, place } = this
    const link = place === 'in-process' ? server.link(options) : await Link.connect(server.url, options)
    this.#links.push(link)
    return link
  }

  /** A Consumer and a Provider of a new channel, each on a link of its own. */
  async pair(options: LinkOptions = {}): Promise<Pair> {
    const channelId = newId()
    const [near, far] = [await this.link(options), await this.link(options)]
    const provider = await far.provider(channelId)
    const consumer = await near.consumer(channelId)
    return { channelId, near, far, consumer, provider }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#links.map((link) => link.close()))
    await this.server.close()
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true })
  }
}

export interface Pair {
  readonly channelId: string
  readonly near: Link
  readonly far: Link
  readonly consumer: Consumer
  readonly provider: Provider
}

/** What a promise was rejected with; fails when it was not. */
export async function failure(promise: Promise<unknown>): Promise<Error & { code: string; retryable: boolean }> {
  try {
    await promise
  } catch (error) {
    return error as Error & { code: string; retryable: boolean }
  }
  throw new Error('it was expected to fail')
}

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

export const bytes = (of: string): Uint8Array => Buffer.from(of)
