import { defineConfig } from 'vitest/config';
import ClosingLine from './helpers/closing-line.ts';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    reporters: ['default', new ClosingLine()],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text-summary'],
    },
    projects: [
      {
        test: {
          name: 'unit',
          root: new URL('..', import.meta.url).pathname,
          include: ['test/unit/**/*.test.ts'],
          globalSetup: ['test/set-up/unit-setup.ts'],
          setupFiles: ['test/set-up/ansible-environment.ts'],
          // Before the hosts are started: the two would only take the processor from each other.
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'integration',
          root: new URL('..', import.meta.url).pathname,
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/lab/global-setup.ts'],
          sequence: { groupOrder: 2 },
          testTimeout: 180_000,
          hookTimeout: 600_000,
          // Hosts wait more than they work: two files at a time keep two cores busy.
          maxWorkers: 2,
        },
      },
    ],
  },
});
