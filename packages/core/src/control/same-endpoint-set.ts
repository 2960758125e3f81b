import type { Endpoint, EndpointSet, Locality } from "../model/endpoint-set.ts";

/**
 * Whether two endpoint sets say the same. A comparison of their own, field by field: they are the largest parts of a snapshot and come
 * with every change of one endpoint, and comparing them by reflection would hold the process up for longer than all the rest.
 */
export function isSameEndpointSet(one: EndpointSet, other: EndpointSet): boolean {
  if (one === other) return true;
  return (
    one.name === other.name &&
    one.origin === other.origin &&
    one.endpoints.length === other.endpoints.length &&
    one.endpoints.every((endpoint, index) => isSameEndpoint(endpoint, other.endpoints[index] as Endpoint))
  );
}

function isSameEndpoint(one: Endpoint, other: Endpoint): boolean {
  return (
    one === other ||
    (one.address === other.address &&
      one.weight === other.weight &&
      one.priority === other.priority &&
      one.health === other.health &&
      one.uid === other.uid &&
      isSameLocality(one.locality, other.locality) &&
      hasSameEntries(one.labels, other.labels))
  );
}

function isSameLocality(one: Locality | null, other: Locality | null): boolean {
  if (one === null || other === null) return one === other;
  return one === other || (one.region === other.region && one.zone === other.zone && one.subZone === other.subZone);
}

function hasSameEntries(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  if (one === other) return true;
  let count = 0;
  for (const name in one) {
    // A label that is not there is undefined, which no label says.
    if (one[name] !== other[name]) return false;
    count++;
  }
  for (const _ in other) count--;
  return count === 0;
}
