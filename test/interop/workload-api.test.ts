import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pass } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type CertificateState, type Problem, systemClock } from "@heddle/core";
import { workloadApi } from "@heddle/spiffe";
import { afterAll, beforeAll, expect, test } from "vitest";
import { goCommand } from "./go-command.ts";

const SOURCE = fileURLToPath(new URL("./go-workload-agent/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "heddle-go-agent-"));
const program = join(folder, "workload-agent");

/** The first build compiles grpc-go. */
const BUILD_MS = 400_000;

beforeAll(() => {
  execFileSync(goCommand(), ["build", "-o", program, "."], { cwd: SOURCE, stdio: ["ignore", "ignore", "inherit"], timeout: BUILD_MS });
}, BUILD_MS);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** go-spiffe's protocol over grpc-go. */
interface GoAgent extends AsyncDisposable {
  readonly address: string;
  /** Gives what it answers: the fingerprint of the certificate it issues, or `denied`. */
  tell(command: "issue" | "renew" | "deny"): Promise<string>;
}

async function goAgent(name: string): Promise<GoAgent> {
  const path = join(folder, name);
  rmSync(path, { force: true });
  const child: ChildProcess = spawn(program, [path], { stdio: ["pipe", "pipe", "inherit"] });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("the agent has no input or output");
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  await until(() => existsSync(path), "the agent does not listen");
  return {
    address: `unix://${path}`,
    async tell(command) {
      stdin.write(`${command}\n`);
      const line = await lines.next();
      if (line.done) throw new Error(`the agent ended (exit code ${child.exitCode})`);
      return line.value;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

async function until(isSo: () => boolean, otherwise: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(otherwise);
    await pass(10);
  }
}

function watch(address: string, keepalive = "6m") {
  const states: CertificateState[] = [];
  const problems: Problem[] = [];
  const close = workloadApi({ address, hint: "internal", keepalive, backoff: { base: "20ms", max: "200ms" } }).watch(
    { update: (state) => states.push(state), problem: (problem) => problems.push(problem) },
    { clock: systemClock, random: () => 1, service: null },
  );
  const seen = () => `${states.length} states; ${problems.map(({ message }) => message).join(" | ")}`;
  return { states, problems, [Symbol.dispose]: close, until: (isSo: () => boolean) => until(isSo, `it never came; ${seen()}`) };
}

test("takes from go-spiffe's protocol what it issues, renews, denies, and serves again after a restart", async () => {
  const first = await goAgent("restarts");
  using watched = watch(first.address);
  await watched.until(() => watched.problems.length >= 1);
  expect(watched.problems[0]?.message).toMatch(/^the agent issues no identity to this process \(PERMISSION_DENIED, "no identity issued"\)/);

  const issued = await first.tell("issue");
  await watched.until(() => watched.states.length >= 1);
  expect(watched.states[0]?.certificate).toMatchObject({ id: { text: "spiffe://shop.example/web" }, fingerprint: issued });
  expect(watched.states[0]?.certificate.chain).toHaveLength(2);
  expect([...(watched.states[0]?.bundles.byTrustDomain.keys() ?? [])]).toEqual(["shop.example", "partner.example"]);

  const renewed = await first.tell("renew");
  await watched.until(() => watched.states.length >= 2);
  expect(watched.states[1]?.certificate.fingerprint).toBe(renewed);
  expect([...(watched.states[1]?.bundles.byTrustDomain.keys() ?? [])]).toEqual(["shop.example"]);

  const before = watched.problems.length;
  expect(await first.tell("deny")).toBe("denied");
  await first[Symbol.asyncDispose]();
  await watched.until(() => watched.problems.length > before);
  await using second = await goAgent("restarts");
  const other = await second.tell("issue");
  await watched.until(() => watched.states.at(-1)?.certificate.fingerprint === other);
});

test("is cut by grpc-go where it asks too often whether it is alive, which is why it does so every six minutes", async () => {
  await using agent = await goAgent("impatient");
  await agent.tell("issue");
  using watched = watch(agent.address, "1s");
  await watched.until(() => watched.states.length >= 1);
  await watched.until(() => watched.problems.length >= 1);
  expect(watched.problems[0]?.message).toMatch(/^the agent cannot be reached or does not answer/);
  await watched.until(() => watched.states.length >= 2);
});
