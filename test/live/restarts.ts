import { setTimeout as pause } from "node:timers/promises";
import { joinMesh } from "heddle";
import { afterEach, expect, test } from "vitest";
import { freePorts } from "../../packages/heddle/src/demo/ports.ts";
import type { LiveProtocol } from "./protocol.ts";
import { ServerProcess } from "./server-process.ts";

const LEAST_RESTARTS = 4;

let servers: ServerProcess[] = [];

/** Kills and restarts the second and the third server in turn, longer where processes are slow to start. Returns how often. */
async function restartInTurn({ name }: LiveProtocol, durationMs: number, downMs: number, upMs: number): Promise<number> {
  const endsAt = performance.now() + durationMs;
  let restarts = 0;
  for (let turn = 1; performance.now() < endsAt || restarts < LEAST_RESTARTS; turn = turn === 1 ? 2 : 1) {
    await pause(upMs);
    const server = servers[turn];
    await server?.kill();
    await pause(downMs);
    servers[turn] = await ServerProcess.start(server?.port, name);
    restarts++;
  }
  return restarts;
}

/** What killed servers cost requests of this protocol that may be tried again. */
export function testRestarts(protocol: LiveProtocol): void {
  afterEach(() => {
    for (const server of servers) server[Symbol.dispose]();
  });

  test.each([
    { how: "with every default", outlier: {}, durationMs: 20_000, downMs: 400, upMs: 600 },
    {
      how: "with ejections so short that what is down is tried again and again",
      outlier: { consecutiveFailures: 1, baseEjection: "50ms", maxEjection: "50ms", maxEjectionPercent: 100 },
      durationMs: 8_000,
      downMs: 300,
      upMs: 300,
    },
  ])(
    "two of three endpoints killed and restarted in turn cost no request that may be repeated, $how",
    { timeout: 120_000 },
    async (given) => {
      const ports = await freePorts(3);
      servers = await Promise.all(ports.map((port) => ServerProcess.start(port, protocol.name)));
      const endpoints = servers.map(({ address }) => ({ address }));
      const reviews = { ...protocol.service, endpoints, retry: protocol.retry, outlier: given.outlier };
      await using mesh = await joinMesh({ config: { apiVersion: "heddle/v1", services: { reviews } } });
      const traffic = protocol.start(mesh, "reviews", { posts: false });
      const restarts = await restartInTurn(protocol, given.durationMs, given.downMs, given.upMs);
      await traffic.stop();

      expect(traffic.failures).toEqual([]);
      expect(restarts).toBeGreaterThanOrEqual(LEAST_RESTARTS);
      expect(traffic.requests).toBeGreaterThan(1_000);
      const failedTries = mesh.inspect().backends.flatMap((backend) => backend.endpoints.map(({ failures }) => failures));
      expect(failedTries.filter((failures) => failures > 0)).toHaveLength(2);
    },
  );
}
