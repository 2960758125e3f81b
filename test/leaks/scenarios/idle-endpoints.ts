import { createMesh, loadDocument, type MeshSnapshot, staticSource } from "@heddle/core";
import { countingTransport } from "../counting-transport.ts";
import { heapAfterGc } from "../heap.ts";
import { scenario } from "../scenario.ts";

export interface IdleEndpointsInput {
  readonly endpoints: number;
  /** Listed in a document, or as a source that speaks the model has them. */
  readonly from: "document" | "snapshot";
}

export interface IdleEndpointsResult {
  /** Of an endpoint of a backend that is used, itself unused: what the source, the model and the backend hold together. */
  readonly bytesAnEndpoint: number;
  readonly opened: number;
}

function documentOf(count: number): object {
  const endpoints = Array.from({ length: count }, (_, index) => ({
    address: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}:8080`,
  }));
  return { apiVersion: "heddle/v1", services: { reviews: { endpoints } } };
}

function snapshotOf(document: object): MeshSnapshot {
  const { snapshot } = loadDocument(document, "leaks");
  if (snapshot === null) throw new Error("the document has mistakes");
  return snapshot;
}

await scenario(async ({ endpoints, from }: IdleEndpointsInput): Promise<IdleEndpointsResult> => {
  const transport = countingTransport();
  const known = (count: number) => (from === "document" ? documentOf(count) : snapshotOf(documentOf(count)));
  const config = staticSource(known(1));
  const mesh = createMesh({ config, transport });
  await mesh.ready();
  const ask = () => mesh.send({ method: "GET", scheme: "http", authority: "reviews", path: "/", headers: {}, body: null });
  await ask();
  const before = await heapAfterGc();
  config.update(known(endpoints));
  await ask();
  const after = await heapAfterGc();
  await mesh.close();
  return { bytesAnEndpoint: (after - before) / endpoints, opened: transport.opened() };
});
