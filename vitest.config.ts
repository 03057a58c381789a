import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{src,load,demo,bench,scripts,test}/**/*.test.ts'],
    // They have commands of their own: see vitest.deploy.config.ts, vitest.compose.config.ts and vitest.rolling.config.ts.
    exclude: ['test/deploy/**', 'test/compose/**', 'test/rolling/**'],
    globalSetup: ['test/support/postgres-server.ts'],
    // Tests start, stop and kill processes, and set timers of their own: a process a file, as in production.
    pool: 'forks',
    // Most of them wait for PostgreSQL and for processes more than they compute.
    maxWorkers: 3,
    // Against hanging, not for speed: a machine may be busy with something else.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/**/*.test.ts'],
      reporter: ['text-summary', 'text', 'json-summary'],
      thresholds: {
        'src/domain/**': { statements: 90, branches: 90, functions: 90, lines: 90 },
        'src/execution/**': { statements: 90, branches: 90, functions: 90, lines: 90 },
      },
    },
  },
});
