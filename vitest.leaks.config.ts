import { defineConfig } from "vitest/config";

/** What the built packages keep: memory, handles, timers. One process at a time, each with a scenario's process beside it. */
export default defineConfig({
  test: {
    include: ["test/leaks/**/*.test.ts"],
    pool: "forks",
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 30_000,
    reporters: ["default"],
  },
});
