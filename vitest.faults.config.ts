import { defineConfig } from "vitest/config";

/** Faults need services of their own: they restart and kill them. */
export default defineConfig({
  test: {
    include: ["test/faults/**/*.fault.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // One after the other: a database that one suite restarts is no place for another.
    maxWorkers: 1,
    fileParallelism: false,
    reporters: ["default", "./test/support/count-reporter.ts"],
  },
});
