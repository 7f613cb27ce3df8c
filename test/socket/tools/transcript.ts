/**
 * Reads a transcript: lines of who, `>` for what a client says and `<` for what it is told, the name of the message, and
 * its bytes in hex, of which `07*100` is a hundred times 07. Lines that begin with # are for people.
 */
import { readFileSync } from 'node:fs'

export interface Line<Who extends string, Name extends string> {
  readonly who: Who
  /** Whether the client says it, and not the server. */
  readonly isSaid: boolean
  readonly name: Name
  readonly bytes: Buffer
}

export function readTranscript<Who extends string, Name extends string>(path: string): Line<Who, Name>[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [who, way, name, ...pieces] = line.split(/ +/) as [Who, string, Name, ...string[]]
      const whole = pieces.map((piece) => {
        const [hex, times = '1'] = piece.split('*') as [string, string?]
        return Buffer.from(hex.repeat(Number(times)), 'hex')
      })
      return { who, isSaid: way === '>', name, bytes: Buffer.concat(whole) }
    })
}
