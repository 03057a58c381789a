import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** What an operator does, for real: packages of the system, processes on fixed ports. One file at a time. */
export default defineConfig({
  test: {
    ...base.test,
    include: ['test/deploy/**/*.test.ts'],
    exclude: [],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
