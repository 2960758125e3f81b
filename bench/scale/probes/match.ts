import { createMesh, type Mesh } from "@heddle/core";
import { stubTransport } from "../../variants/stub-transport.ts";
import type { OpenProbe } from "../probe.ts";
import { documentOf, SERVICE } from "./generated.ts";
import { get, microsPerRequest, onProblem } from "./mesh-slot.ts";
import { generatedRoutes, lastPath, type PathKind } from "./routes.ts";

export interface MatchParameters {
  readonly routes: number;
  /** The kind of the last route, which the measured request takes. */
  readonly last: PathKind;
}

/** The stub answers at once: more in flight would only make the shortest slot longer where there are thousands of routes. */
const CONCURRENCY = 1;

/**
 * What many routes add to a request: the same request through a mesh that has them all, and through one that has but its own, in turn.
 * The routes end in the stub, like any other; only their number differs.
 */
export const open: OpenProbe<MatchParameters> = async ({ parameters: { routes, last } }) => {
  const all = generatedRoutes(routes, last);
  const many = await meshWith(all);
  const one = await meshWith(all.slice(-1));
  const request = [get(SERVICE, lastPath(routes, last))];
  const { decision } = many.explain({ method: "GET", url: `http://${SERVICE}${lastPath(routes, last)}`, headers: {} });
  if (!("route" in decision) || decision.route !== `route-${routes - 1}`) throw new Error("the request does not take the last route");
  let isManyFirst = false;
  return {
    async round(durationMs) {
      isManyFirst = !isManyFirst;
      const order = { concurrency: CONCURRENCY, durationMs: durationMs / 2 };
      const first = await microsPerRequest(isManyFirst ? many : one, request, order);
      const second = await microsPerRequest(isManyFirst ? one : many, request, order);
      const micros = isManyFirst ? first : second;
      return { request: micros, match: micros - (isManyFirst ? second : first) };
    },
    async close() {
      await Promise.all([many.close(), one.close()]);
    },
  };
};

async function meshWith(routes: readonly object[]): Promise<Mesh> {
  const to = { to: [{ service: SERVICE }] };
  const mesh = createMesh({
    config: documentOf({ routes: routes.map((route) => ({ ...route, ...to })) }),
    transport: stubTransport(),
    onProblem,
  });
  await mesh.ready();
  return mesh;
}
