import { defineConfig } from "vitest/config";

/** Programs of others against the built packages. A peer that is missing on this machine is a failure, never skipped. */
export default defineConfig({
  test: {
    include: ["test/interop/**/*.test.ts"],
    pool: "forks",
    fileParallelism: false,
    // What is built is loaded by Node, as by a user: Vitest would give a package that is required another copy of those it imports.
    server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ["default"],
  },
});
