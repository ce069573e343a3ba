import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/torture/**', 'test/bench/**'],
    globalSetup: 'test/support/globalSetup.ts',
    pool: 'forks',
    env: { DNSTRAIL_LOG: 'silent' },
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
