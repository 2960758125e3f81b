import type { EndpointState } from "../endpoint/endpoint.ts";
import type { Random } from "../random.ts";
import type { Balancer } from "./balancer.ts";
import { pickOfTwo } from "./p2c.ts";

/** Of two draws the one with fewer requests in flight for its weight (Envoy's least request with two choices, drawn without replacement). */
export function leastRequest(random: Random): Balancer {
  const load = (state: EndpointState) => (state.inFlight + 1) / state.endpoint.weight;
  return { policy: "least-request", pick: (candidates, tries) => pickOfTwo(candidates, tries, random, load) };
}
