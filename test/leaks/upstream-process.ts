import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Upstream extends Disposable {
  readonly addresses: readonly string[];
}

/** Starts `upstream.ts`; resolves when every one of its ports listens. */
export async function startUpstream(count = 1): Promise<Upstream> {
  const child = fork(fileURLToPath(new URL("./upstream.ts", import.meta.url)), [String(count)], { execArgv: [] });
  const failed = once(child, "exit").then(([code]) => {
    throw new Error(`the upstream ended while it started (exit code ${code})`);
  });
  failed.catch(() => {});
  const [addresses] = (await Promise.race([once(child, "message"), failed])) as [readonly string[]];
  return { addresses, [Symbol.dispose]: () => void child.kill("SIGKILL") };
}
