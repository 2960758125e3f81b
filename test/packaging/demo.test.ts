import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { install } from "./installation.ts";

const PACKAGES: readonly string[] = ["heddle", "core", "http", "express-adapter", "fastify-adapter", "spiffe"].map(
  (name) => `packages/${name}`,
);

// The whole of it is run from the sources' own dist; here it is whether everything that it needs is shipped.
test.each([
  { how: "without Express, Fastify and gRPC where there are none", packages: PACKAGES, steps: 14 },
  { how: "with ratings by gRPC where that is installed", packages: [...PACKAGES, "packages/grpc"], steps: 17 },
])("the installed command line serves the demo by mutual TLS, $how", { timeout: 90_000 }, async ({ packages, steps: count }) => {
  const project = install(packages);
  onTestFinished(() => project[Symbol.dispose]());
  const demo = spawn(process.execPath, ["node_modules/heddle/dist/cli/main.js", "demo", "--json"], { cwd: project.folder });
  onTestFinished(() => void demo.kill("SIGKILL"));
  let output = "";
  let progress = "";
  demo.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  demo.stderr.setEncoding("utf8").on("data", (text: string) => {
    const wasUnderWay = progress.includes("\n2/");
    progress += text;
    // Once: a second signal would not wait for its end.
    if (!wasUnderWay && progress.includes("\n2/")) demo.kill("SIGTERM");
  });
  await once(demo, "close");
  const { endedBecause, failures, steps } = JSON.parse(output) as {
    readonly endedBecause: string | null;
    readonly failures: number;
    readonly steps: readonly { readonly verdict: string }[];
  };
  expect({ endedBecause, failures, first: steps[0]?.verdict, steps: steps.length }, progress).toEqual({
    endedBecause: "it was asked to (SIGTERM)",
    failures: 0,
    first: "held",
    steps: count,
  });
  expect(progress).toContain("express is not installed here");
  expect(progress.includes("gRPC is not installed here")).toBe(packages === PACKAGES);
});
