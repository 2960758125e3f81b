import { createMesh } from "@heddle/core";
import { httpTransport, listen, MeshDispatcher, meshRequest } from "@heddle/http";
import { testAuthority } from "@heddle/testing/authority";
import { heapAfterGc } from "../heap.ts";
import "../live-timers.ts";
import { type OpenResources, openResources, resourcesAfter } from "../open-resources.ts";
import { scenario } from "../scenario.ts";
import { afterWarmUp, type Sample, type Trend, trendOf } from "../trend.ts";

export interface RotationInput {
  readonly seconds: number;
  readonly concurrency: number;
  readonly rotateEveryMs: number;
}

export interface RotationResult {
  readonly requests: number;
  readonly failures: readonly string[];
  /** Certificates that both sides have had. */
  readonly generations: number;
  /** Bytes a second. */
  readonly heap: Trend;
  readonly serials: number;
  readonly before: OpenResources;
  readonly after: OpenResources;
}

const SAMPLE_MS = 1_000;

await scenario<RotationInput, RotationResult>(async ({ seconds, concurrency, rotateEveryMs }) => {
  const before = openResources();
  const authority = testAuthority();
  const [ours, theirs] = [authority.source("web"), authority.source("reviews")];
  const documentOf = (address: string) => ({
    apiVersion: "heddle/v1",
    mesh: { trustDomain: authority.trustDomain, identityTemplate: "spiffe://{trustDomain}/{service}" },
    services: {
      web: {},
      reviews: {
        endpoints: address === "" ? [] : [{ address }],
        inbound: { authorize: [{ name: "web", from: [{ principals: [authority.id("web").text] }] }] },
      },
    },
  });
  const server = createMesh({ service: "reviews", config: documentOf(""), transport: httpTransport(), identity: theirs });
  await server.ready();
  const listener = await listen(server, (_request, response) => response.end("{}"), { host: "127.0.0.1" });
  const client = createMesh({
    service: "web",
    config: documentOf(`127.0.0.1:${listener.port}`),
    transport: httpTransport(),
    identity: ours,
  });
  await client.ready();
  const request = meshRequest(client, new MeshDispatcher(client));
  const endsAt = performance.now() + seconds * 1_000;
  const failures: string[] = [];
  const serials = new Set<string>();
  const heap: Sample[] = [];
  let requests = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < endsAt) {
      try {
        const reply = await request("http://reviews/");
        await reply.bytes();
        if (reply.status !== 200) failures.push(`answered ${reply.status}`);
      } catch (error) {
        failures.push(String(error));
      }
      requests++;
    }
  };
  let rotations = 0;
  const rotate = setInterval(() => {
    rotations++;
    // In the middle of the run: the old root and the new one together, a rotation later the new one alone.
    if (rotations === Math.floor((seconds * 500) / rotateEveryMs)) authority.replaceRoot();
    else if (rotations === Math.floor((seconds * 500) / rotateEveryMs) + 1) authority.retireOldRoots();
    else for (const source of [ours, theirs]) source.rotate();
    for (const mesh of [client, server]) serials.add(mesh.inspect().identity?.certificate?.serial ?? "none");
  }, rotateEveryMs);
  const sample = setInterval(async () => {
    const at = performance.now() / 1_000;
    heap.push({ at, value: await heapAfterGc() });
  }, SAMPLE_MS);
  await Promise.all(Array.from({ length: concurrency }, caller));
  clearInterval(rotate);
  clearInterval(sample);
  const generations = client.inspect().identity?.generation ?? 0;
  await client.close();
  await server.close();
  return {
    requests,
    failures: failures.slice(0, 20),
    generations,
    heap: trendOf(afterWarmUp(heap)),
    serials: serials.size,
    before,
    after: await resourcesAfter(before),
  };
});
