/** Who takes part: the product, the control rows, and those of the peers asked for that are installed. */
import { adapterNamed, own } from './adapters/registry.ts'
import type { Adapter } from './contract.ts'
import { installPeers, isPeerInstalled } from './peers/load.ts'
import { isInstalled } from './service.ts'

export interface Skipped {
  readonly name: string
  /** What is missing, and how to get it. */
  readonly reason: string
}

export async function findContenders(
  peers: readonly string[],
): Promise<{ readonly adapters: readonly Adapter[]; readonly skipped: readonly Skipped[] }> {
  const adapters: Adapter[] = []
  const skipped: Skipped[] = []
  for (const name of [...own, ...peers]) {
    const adapter = await adapterNamed(name)
    const reason = missing(adapter)
    if (reason === undefined) adapters.push(adapter)
    else skipped.push({ name, reason })
  }
  return { adapters, skipped }
}

function missing({ packages, server }: Adapter): string | undefined {
  const absent = packages.filter((name) => !isPeerInstalled(name))
  const reasons: string[] = []
  if (server.kind === 'native' && !isInstalled(server.command)) {
    reasons.push(`no ${server.command} on PATH (${server.install})`)
  }
  if (absent.length > 0) reasons.push(`no ${absent.join(', ')} (${installPeers})`)
  return reasons.length > 0 ? reasons.join('; ') : undefined
}
