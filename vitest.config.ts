import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (name: string, file = "index.ts"): string => fileURLToPath(new URL(`./packages/${name}/src/${file}`, import.meta.url));

/** Tests run on the sources; what tests in a child process or as an installation runs on `dist`, which `npm test` builds first. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@heddle\/(core|http|express-adapter|fastify-adapter|grpc|spiffe|testing)$/, replacement: source("$1") },
      { find: /^\.\/grpc-package\.ts$/, replacement: fileURLToPath(new URL("./test/grpc/package-of-sources.ts", import.meta.url)) },
      { find: /^heddle$/, replacement: source("heddle") },
      { find: /^@heddle\/testing\/(authority|grpc)$/, replacement: source("testing", "$1/index.ts") },
    ],
  },
  test: {
    include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts", "bench/**/*.test.ts"],
    exclude: ["test/interop/**", "test/leaks/**", "**/node_modules/**"],
    // A process for each file: sockets, AsyncLocalStorage and undici's global dispatcher stay apart.
    pool: "forks",
    isolate: true,
    maxWorkers: "100%",
    testTimeout: 20_000,
    hookTimeout: 30_000,
    reporters: ["default"],
    coverage: { provider: "v8", include: ["packages/*/src/**/*.ts"], exclude: ["**/*.test.ts"], reporter: ["text-summary", "html"] },
  },
});
