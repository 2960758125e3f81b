import "../live-timers.ts";
import { createMesh, type Problem, staticSource } from "@heddle/core";
import { httpTransport, MeshAgent, MeshDispatcher, meshFetch, meshInterceptor, meshRequest, serviceHandle } from "@heddle/http";
import { useBadly, useEveryDoor } from "../every-door.ts";
import { measureRounds } from "../rounds.ts";
import { scenario } from "../scenario.ts";

export interface CoreRoundsInput {
  readonly address: string;
  readonly rounds: number;
}

function documentOf(address: string, timeout: string): object {
  return {
    apiVersion: "heddle/v1",
    mesh: { egress: "deny" },
    services: {
      reviews: {
        endpoints: [{ address }],
        timeout,
        retry: { maxRetries: 1, on: [503], backoff: { base: "1ms" } },
        breaker: { consecutiveFailures: 1_000 },
        limits: { maxRequests: 100 },
      },
    },
    resources: { db: { timeout: "1s" } },
  };
}

/** Joins, calls by every front door, edits once, calls again, leaves. */
async function round(address: string): Promise<void> {
  const config = staticSource(documentOf(address, "10s"));
  // That the agent does not retry is told, as it should be.
  const onProblem = ({ message }: Problem) => void (message.includes("mesh.agent()") || console.error(message));
  const mesh = createMesh({ config, transport: httpTransport(), onProblem });
  await mesh.ready();
  const dispatcher = new MeshDispatcher(mesh);
  const request = meshRequest(mesh, dispatcher);
  const doors = {
    request,
    fetch: meshFetch(mesh, dispatcher),
    service: serviceHandle(mesh, "reviews", dispatcher),
    dispatcher,
    interceptor: meshInterceptor(mesh),
    agent: new MeshAgent(mesh),
  };
  await useEveryDoor(doors);
  await mesh.protect("db", async () => "rows");
  config.update(documentOf(address, "8s"));
  await useBadly(doors);
  await mesh.close();
}

await scenario(({ address, rounds }: CoreRoundsInput) => measureRounds(rounds, () => round(address)));
