import type { IncomingMessage, ServerResponse } from "node:http";
import { type Clock, checkKeys, type Health } from "@heddle/core";
import { tellDraining } from "./node-drain.ts";
import type { ServingMesh } from "./node-serving.ts";
import { requestTarget } from "./node-target.ts";

/** A dependency without which this process should get no traffic. It fails by throwing, rejecting, returning `false`, or not answering within 1 s. */
export type HealthCheck = () => unknown;

export interface HealthOptions {
  /** 200 for as long as the process can answer. Default `/livez`. */
  readonly live?: string;
  /** 200 while this process should get traffic, else 503; both with `{ ok, because }`. Default `/readyz`. */
  readonly ready?: string;
  /** Asked by `ready`, all at once, by name. Default: none. */
  readonly checks?: Readonly<Record<string, HealthCheck>>;
}

/** How long a check may take. */
export const HEALTH_CHECK_MS = 1_000;

/** Answers health requests, outside of every policy; false for all other requests. */
export type HealthResponder = (message: IncomingMessage, response: ServerResponse) => boolean;

export function healthResponder(mesh: ServingMesh, isDraining: () => boolean, options: HealthOptions): HealthResponder {
  checkKeys(options, ["live", "ready", "checks"], "health");
  const live = options.live ?? "/livez";
  const ready = options.ready ?? "/readyz";
  for (const [name, path] of [["health.live", live] as const, ["health.ready", ready] as const])
    if (!path.startsWith("/")) throw new TypeError(`${name}: ${JSON.stringify(path)} must be a path that starts with "/"`);
  const readiness = readinessOf(mesh, isDraining, options.checks);
  const answerReady = async (response: ServerResponse) => {
    const { ok, because } = await readiness();
    answer(response, ok, because, isDraining());
  };
  return (message, response) => {
    if (message.method !== "GET" && message.method !== "HEAD") return false;
    const path = requestTarget(message).path.split("?", 1)[0];
    if (path === live) answer(response, true, [], isDraining());
    else if (path === ready) void answerReady(response);
    else return false;
    return true;
  };
}

/** Whether this process should get traffic: by the mesh, by whether its listener drains, and by every check. Never rejects. */
export function readinessOf(
  mesh: Pick<ServingMesh, "clock" | "health">,
  isDraining: () => boolean,
  asked: HealthOptions["checks"],
): () => Promise<Health> {
  const checks = Object.entries(asked ?? {}).map(([name, check]) => boundedCheck(name, check, mesh.clock));
  return async () => {
    const failures = (await Promise.all(checks.map((check) => check()))).filter((failure) => failure !== null);
    const health = mesh.health();
    const because = [...health.because, ...failures];
    if (isDraining() && health.ok) because.unshift("draining");
    return { ok: health.ok && because.length === 0, because, warnings: health.warnings };
  };
}

function answer(response: ServerResponse, ok: boolean, because: readonly string[], isDraining: boolean): void {
  const body = JSON.stringify({ ok, because });
  if (isDraining) tellDraining(response);
  response.writeHead(ok ? 200 : 503, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
  });
  response.end(body);
}

/** Resolves with null or what failed; never rejects. A run that hangs is not joined by another: probes must not pile up work. */
function boundedCheck(name: string, check: HealthCheck, clock: Clock): () => Promise<string | null> {
  let running: Promise<string | null> | null = null;
  const run = async () => {
    try {
      return (await check()) === false ? `check ${name}: failed` : null;
    } catch (error) {
      return `check ${name}: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      running = null;
    }
  };
  return () => {
    running ??= run();
    const pending = running;
    return new Promise((resolve) => {
      const timer = clock.setTimer(HEALTH_CHECK_MS, () => resolve(`check ${name}: no answer within ${HEALTH_CHECK_MS / 1_000} s`), "idle");
      void pending.then((failure) => {
        clock.clearTimer(timer);
        resolve(failure);
      });
    });
  };
}
