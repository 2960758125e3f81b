import type { Mesh, Problem, RequestInit } from "@heddle/core";
import { runSlot } from "../../load.ts";
import { readStub } from "../../variants/stub-transport.ts";

/** What a request through this mesh costs, in CPU microseconds; the requests are made in turn. */
export async function microsPerRequest(
  mesh: Mesh,
  requests: readonly RequestInit[],
  order: { readonly concurrency: number; readonly durationMs: number },
): Promise<number> {
  let turn = 0;
  const call = async (): Promise<void> => {
    const request = requests[turn] as RequestInit;
    turn = turn + 1 === requests.length ? 0 : turn + 1;
    readStub(await mesh.send(request));
  };
  const { cpuMicros, requests: done } = await runSlot({ isInstant: true, call, async close() {} }, order);
  return cpuMicros / done;
}

export function get(authority: string, path: string): RequestInit {
  return { method: "GET", scheme: "http", authority, path, headers: {}, body: null };
}

/** A mesh with an error measures something else than it should. Warnings are expected: counters are bounded, and large meshes reach the bound. */
export function onProblem({ where, message, severity }: Problem): void {
  if (severity === "error") throw new Error(`${where}: ${message}`);
}
