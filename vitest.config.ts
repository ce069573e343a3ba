import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/torture/**', 'test/bench/**'],
    globalSetup: 'test/support/globalSetup.ts',
    pool: 'forks',
    env: { DNSTRAIL_LOG: 'silent' },
    // for what hangs: a shared machine may be four times slower than usual
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
