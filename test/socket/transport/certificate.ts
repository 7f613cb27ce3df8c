/**
 * A self-signed certificate for `localhost` and 127.0.0.1, made by openssl for this run of the tests alone.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'vitest'
import { absent } from '../../absent.ts'

export interface Certificate {
  readonly key: string
  readonly cert: string
}

const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']

let made: Certificate | undefined

/** The certificate; where there is no openssl, the test is left out aloud. */
export function certificate(context: TestContext): Certificate {
  made ??= make(context)
  return made
}

function make(context: TestContext): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-certificate-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  try {
    execFileSync('openssl', [...request, ...subject, '-keyout', key, '-out', cert], { stdio: 'pipe' })
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') absent(context, 'openssl is not installed')
    throw error
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
