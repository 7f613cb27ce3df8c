/**
 * Loads the packages of other products, which are installed beside this file (`npm --prefix bench/peers ci`) and are no
 * dependencies of the project. So adapters describe the little that they use of them, and nothing is imported by name.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const installPeers = 'npm --prefix bench/peers ci'

export async function loadPeer<T>(name: string): Promise<T> {
  return (await import(name)) as T
}

export function isPeerInstalled(name: string): boolean {
  return existsSync(fileURLToPath(new URL(`./node_modules/${name}/package.json`, import.meta.url)))
}
