import { Attempt } from "../src/context.ts";
import { EndpointState } from "../src/endpoint/endpoint.ts";
import type { Endpoint } from "../src/model/endpoint-set.ts";
import { endpointOf } from "./builders.ts";

/** Endpoint states `a`, `b`, `c`, ... */
export function statesOf(count: number, parts: (index: number) => Partial<Endpoint> = () => ({})): EndpointState[] {
  return Array.from({ length: count }, (_, index) => new EndpointState(endpointOf(nameOf(index), parts(index)), 0));
}

export function nameOf(index: number): string {
  return index < 26 ? String.fromCharCode(97 + index) : `e${index}`;
}

/** The record of a request that tried these, and is about to pick for the next try. */
export function triesOf(...endpoints: string[]): Attempt[] {
  const attempts = [...endpoints, ""].map((endpoint, index) => {
    const attempt = new Attempt(index + 1, 0);
    attempt.endpoint = endpoint;
    return attempt;
  });
  return attempts;
}

/** Half-open, with its one probe under way. */
export function probe(state: EndpointState): void {
  state.status = "half-open";
  state.begin(0);
}

/** The draws of a random, in order. */
export function drawing(...draws: number[]): () => number {
  let next = 0;
  return () => {
    const draw = draws[next++];
    if (draw === undefined) throw new Error("drew more often than expected");
    return draw;
  };
}
