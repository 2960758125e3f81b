import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { install } from "./installation.ts";

const PACKAGES = ["heddle", "core", "http", "express-adapter", "fastify-adapter", "spiffe"].map((name) => `packages/${name}`);

// The whole of it is run from the sources' own dist; here it is whether everything that it needs is shipped.
test("the installed command line serves the demo by mutual TLS, without Express and Fastify where there are none", {
  timeout: 90_000,
}, async () => {
  const project = install(PACKAGES);
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
  expect({ endedBecause, failures, first: steps[0]?.verdict }, progress).toEqual({
    endedBecause: "it was asked to (SIGTERM)",
    failures: 0,
    first: "held",
  });
  expect(progress).toContain("express is not installed here");
});
