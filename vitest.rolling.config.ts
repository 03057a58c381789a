import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** Replicas that come and go under load: each file has the machine to itself, or what it counts would be too little. */
export default defineConfig({
  test: {
    ...base.test,
    include: ['test/rolling/**/*.test.ts'],
    exclude: [],
    fileParallelism: false,
  },
});
