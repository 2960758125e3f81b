import { type Endpoint, loadDocument, type MeshSnapshot } from "@heddle/core";

export const SERVICE = "shop";

/** Addresses that nothing listens on, different for each number below 16 million and each port. */
export function address(number: number, port = 8080): string {
  return `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}:${port}`;
}

/** An endpoint as a control plane would describe it: labels of its own, one of three zones. */
export function endpoint(number: number, port?: number): Endpoint {
  return {
    address: address(number, port),
    weight: 1,
    labels: { version: "v1" },
    locality: ZONES[number % ZONES.length] ?? null,
    priority: 0,
    health: "healthy",
    uid: "",
  };
}

const ZONES = ["a", "b", "c"].map((zone) => ({ region: "", zone, subZone: "" }));

export function endpoints(count: number): readonly Endpoint[] {
  return Array.from({ length: count }, (_, number) => endpoint(number));
}

/** The snapshot that a document means. Throws for a document with mistakes: it would measure nothing. */
export function snapshotOf(document: object): MeshSnapshot {
  const { snapshot, problems } = loadDocument(document, "bench");
  if (snapshot === null) throw new Error(problems.map(({ where, message }) => `${where}: ${message}`).join("; "));
  return snapshot;
}

/** The same snapshot with these endpoints for the service; what did not change keeps its identity, as a control source would have it. */
export function withEndpoints(snapshot: MeshSnapshot, all: readonly Endpoint[], service: string = SERVICE): MeshSnapshot {
  const set = snapshot.endpointSets.get(service);
  if (!set) throw new Error(`the snapshot has no endpoint set ${service}`);
  return { ...snapshot, endpointSets: new Map(snapshot.endpointSets).set(service, { ...set, endpoints: all }) };
}

/** The document of one service with one endpoint, which {@link withEndpoints} replaces, and what else is given. */
export function documentOf(service: object = {}): object {
  return { apiVersion: "heddle/v1", services: { [SERVICE]: { endpoints: [{ address: address(0) }], ...service } } };
}
