import { defineConfig } from 'vitest/config';

/** What runs in containers: needs an engine, the images, and the ports of docker-compose.yml. See test/compose/README.md. */
export default defineConfig({
  test: {
    include: ['test/compose/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    // A build from nothing takes minutes.
    testTimeout: 900_000,
    hookTimeout: 120_000,
  },
});
