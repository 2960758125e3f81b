import { setImmediate as turn } from "node:timers/promises";
import type { JoinedMesh } from "heddle";
import { onTestFinished } from "vitest";

const CONCURRENCY = 32;

/** Callers that ask a service over and over, each as soon as it has its answer. */
export interface Traffic {
  readonly requests: number;
  /** What failed: how a request was rejected, or an answer of 400 or above. */
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

/** Ends with the test. Every fourth caller posts if asked to: what may not be repeated must not fail either. */
export function startTraffic(mesh: JoinedMesh, service: string, { posts }: { readonly posts: boolean }): Traffic {
  const handle = mesh.service(service);
  const failures: string[] = [];
  let requests = 0;
  let isStopped = false;
  const ask = async (method: string): Promise<void> => {
    try {
      const reply = await handle.request("/api/7", { method, ...(method === "POST" ? { json: { stars: 5 } } : {}) });
      await reply.text();
      if (reply.status >= 400) failures.push(`${method}: ${reply.status}: ${JSON.stringify(mesh.report(reply))}`);
    } catch (error) {
      failures.push(`${method}: ${String(error)}: ${JSON.stringify(mesh.report(error))}`);
      // What is refused without being sent takes no turn of its own: callers of nothing but that would leave timers and sockets none.
      await turn();
    }
  };
  const caller = async (method: string): Promise<void> => {
    for (; !isStopped; requests++) await ask(method);
  };
  const callers = Array.from({ length: CONCURRENCY }, (_, index) => caller(posts && index % 4 === 0 ? "POST" : "GET"));
  const stop = async () => {
    isStopped = true;
    await Promise.all(callers);
  };
  onTestFinished(stop);
  return {
    get requests() {
      return requests;
    },
    failures,
    stop,
  };
}
