import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** Ending by itself takes a process that has nothing left to do no time; this is for a busy machine. */
const EXIT_MS = 10_000;

/**
 * Runs `scenarios/NAME.ts` on the built packages in a process of its own, with `gc()` at hand, and resolves to what it measured.
 * Rejects if it fails, takes longer than the limit, or does not end by itself once it is done.
 */
export async function runScenario<Result>(name: string, input: unknown, limitMs: number): Promise<Result> {
  const script = fileURLToPath(new URL(`./scenarios/${name}.ts`, import.meta.url));
  // Threads of a collector that wait for each other take minutes on a busy machine.
  const child = fork(script, [JSON.stringify(input)], {
    execArgv: ["--expose-gc", "--single-threaded-gc", "--disable-warning=ExperimentalWarning"],
  });
  try {
    const result = await within(limitMs, `${name}: no result`, firstMessage<Result>(child, name));
    if (child.exitCode === null) {
      await within(EXIT_MS, `${name}: the process did not end by itself: something keeps it alive`, once(child, "exit"));
    }
    if (child.exitCode !== 0) throw new Error(`${name}: the process ended with ${child.exitCode ?? child.signalCode}`);
    return result;
  } finally {
    child.kill("SIGKILL");
  }
}

async function firstMessage<Result>(child: ChildProcess, name: string): Promise<Result> {
  const failed = once(child, "exit").then(([code, signal]) => {
    throw new Error(`${name}: the process ended with ${code ?? signal} before it told a result`);
  });
  failed.catch(() => {});
  const [result] = (await Promise.race([once(child, "message"), failed])) as [Result];
  return result;
}

async function within<Value>(limitMs: number, otherwise: string, value: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${otherwise} within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}
