import { defineConfig } from 'vitest/config'

// Tests run from source: the condition makes `signalbox` and `#socket` resolve to the .ts files.
export default defineConfig({
  resolve: { conditions: ['signalbox-source'] },
  ssr: { resolve: { conditions: ['signalbox-source'] } },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    pool: 'forks',
    // Most tests wait for sockets and child processes, so a few more than there are cores finish sooner.
    maxWorkers: 3,
    reporters: ['default'],
  },
})
