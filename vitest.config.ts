import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/conformance/tools/**", "node_modules/**"],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    // Two cores: a third worker only makes the embedded databases wait for each other.
    maxWorkers: 2,
    reporters: ["default", "./test/support/count-reporter.ts"],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      // Run as processes and threads of their own, where coverage cannot look: the entry, the embedded engine's worker, the one that draws and the one that embeds.
      exclude: [
        "src/main.ts",
        "src/start.ts",
        "src/db/embedded/engine-worker.ts",
        "src/chart/render/render-worker.ts",
        "src/search/local-embeddings-worker.ts",
      ],
      reporter: ["text-summary", "json-summary"],
      thresholds: { lines: 90, branches: 90 },
    },
  },
});
