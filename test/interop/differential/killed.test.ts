import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";

const RUN = fileURLToPath(new URL("../run.ts", import.meta.url));

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** The processes that it started, and that they started. */
function descendants(pid: number): readonly number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** `pid started`, so that another process of the number is another; empty for one that has ended. */
function named(pid: number): string {
  const fields = read(`/proc/${pid}/stat`).split(") ")[1]?.split(" ") ?? [];
  return fields.length === 0 || fields[0] === "Z" ? "" : `${pid} ${fields[19]}`;
}

function isEnvoy(pid: number): boolean {
  return read(`/proc/${pid}/cmdline`).includes("--admin-address-path");
}

test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
  "a search for sabotages that is told to end by %s leaves no comparison and no Envoy behind",
  { timeout: 120_000 },
  async (signal) => {
    const search = spawn(process.execPath, [RUN, "--sabotage"], { stdio: "ignore" });
    onTestFinished(() => void search.kill("SIGKILL"));
    const pid = search.pid ?? 0;
    const started = await vi.waitFor(
      () => {
        const found = descendants(pid);
        expect(found.some(isEnvoy), "an Envoy has started").toBe(true);
        return found.map((one) => ({ pid: one, name: named(one) })).filter(({ name }) => name !== "");
      },
      { timeout: 90_000, interval: 20 },
    );
    onTestFinished(() => {
      for (const one of started) if (named(one.pid) === one.name) process.kill(one.pid, "SIGKILL");
    });
    expect(started.length).toBeGreaterThanOrEqual(2);
    const exited = once(search, "exit");
    search.kill(signal);
    expect(await exited).toEqual([130, null]);
    await vi.waitFor(() => expect(started.filter((one) => named(one.pid) === one.name)).toEqual([]), { timeout: 20_000, interval: 20 });
  },
);
