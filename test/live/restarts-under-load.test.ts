import { setTimeout as pause } from "node:timers/promises";
import { joinMesh } from "heddle";
import { afterEach, expect, test } from "vitest";
import { ServerProcess } from "./server-process.ts";
import { startTraffic } from "./traffic.ts";

const DURATION_MS = 20_000;
const DOWN_MS = 400;
const UP_MS = 600;

let servers: ServerProcess[] = [];

afterEach(() => {
  for (const server of servers) server[Symbol.dispose]();
});

test("two of three endpoints killed and restarted in turn during 20 s cost no GET with retry: {}", { timeout: 60_000 }, async () => {
  servers = await Promise.all(Array.from({ length: 3 }, () => ServerProcess.start()));
  await using mesh = await joinMesh({
    config: {
      apiVersion: "heddle/v1",
      services: {
        reviews: {
          endpoints: servers.map(({ address }) => ({ address })),
          retry: {},
          outlier: { baseEjection: "100ms", maxEjection: "200ms", maxEjectionPercent: 100 },
        },
      },
    },
  });
  const traffic = startTraffic(mesh, "reviews", { posts: false });
  const endsAt = performance.now() + DURATION_MS;
  let restarts = 0;
  for (let turn = 1; performance.now() < endsAt; turn = turn === 1 ? 2 : 1) {
    await pause(UP_MS);
    await servers[turn]?.kill();
    await pause(DOWN_MS);
    const server = servers[turn];
    if (server) servers[turn] = await ServerProcess.start(server.port);
    restarts++;
  }
  await traffic.stop();

  expect(traffic.failures).toEqual([]);
  expect(restarts).toBeGreaterThan(8);
  expect(traffic.requests).toBeGreaterThan(1_000);
  const failedTries = mesh.inspect().backends.flatMap(({ endpoints }) => endpoints.map(({ failures }) => failures));
  expect(failedTries.filter((failures) => failures > 0)).toHaveLength(2);
});
