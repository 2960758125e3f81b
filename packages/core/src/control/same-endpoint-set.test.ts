import { expect, test } from "vitest";
import type { Endpoint, EndpointSet, Locality } from "../model/endpoint-set.ts";
import { isSameEndpointSet } from "./same-endpoint-set.ts";

const locality: Locality = { region: "eu", zone: "a", subZone: "1" };
const endpoint: Endpoint = {
  address: "10.0.0.1:80",
  weight: 1,
  labels: { version: "v1" },
  locality,
  priority: 0,
  health: "healthy",
  uid: "pod-1",
};

function setOf(...endpoints: readonly Endpoint[]): EndpointSet {
  return { name: "reviews", endpoints, origin: "mesh.yaml:1:1" };
}

/** One change for each field: a field that is added and not compared has none, which does not compile. */
const CHANGES: { readonly [Field in keyof Endpoint]: readonly Endpoint[Field][] } = {
  address: ["10.0.0.2:80"],
  weight: [2],
  labels: [{ version: "v2" }, {}, { version: "v1", track: "canary" }, { release: "v1" }],
  locality: [null, { ...locality, region: "us" }, { ...locality, zone: "b" }, { ...locality, subZone: "2" }],
  priority: [1],
  health: ["draining"],
  uid: ["pod-2"],
};

test("sets that say the same are the same, whoever made their parts", () => {
  expect(isSameEndpointSet(setOf(endpoint), setOf(structuredClone(endpoint)))).toBe(true);
  expect(isSameEndpointSet(setOf(), setOf())).toBe(true);
});

test("any field of any endpoint makes a difference, in both directions", () => {
  for (const [field, values] of Object.entries(CHANGES)) {
    for (const value of values) {
      const one = setOf(endpoint, endpoint);
      const other = setOf(endpoint, { ...endpoint, [field]: value });
      expect(isSameEndpointSet(one, other), `${field} ${JSON.stringify(value)}`).toBe(false);
      expect(isSameEndpointSet(other, one), `${field} ${JSON.stringify(value)}`).toBe(false);
    }
  }
});

test("name, origin, number and order make a difference", () => {
  const second = { ...endpoint, address: "10.0.0.2:80" };
  const set = setOf(endpoint, second);
  expect(isSameEndpointSet(set, { ...set, name: "ratings" })).toBe(false);
  expect(isSameEndpointSet(set, { ...set, origin: "mesh.yaml:2:1" })).toBe(false);
  expect(isSameEndpointSet(set, setOf(endpoint))).toBe(false);
  expect(isSameEndpointSet(setOf(endpoint), set)).toBe(false);
  expect(isSameEndpointSet(set, setOf(second, endpoint))).toBe(false);
});
