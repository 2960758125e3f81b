import type { InspectedEndpoint } from "@heddle/core";
import { type JoinedMesh, joinMesh } from "heddle";
import { afterEach, beforeEach, expect, onTestFinished, vi } from "vitest";
import { type RawConnection, type RawEndpoint, rawEndpoint, type Script } from "./raw-endpoint.ts";

/** Long beside what loopback takes, short beside a test's own limit. */
const WITHIN = { timeout: 5_000, interval: 2 };

export const WELL = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nwell";
export const WELL_KEPT = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwell";

/** Answers one request, and closes. */
export async function well(connection: RawConnection): Promise<void> {
  if (await connection.request()) await connection.write(WELL);
  connection.end();
}

/** Answers request after request. */
export async function wellKept(connection: RawConnection): Promise<void> {
  while (await connection.request()) await connection.write(WELL_KEPT);
}

/** Reads a request, and says this, byte for byte. */
export function says(bytes: string): (connection: RawConnection) => Promise<void> {
  return async (connection) => {
    await connection.request();
    await connection.write(bytes);
  };
}

/** An endpoint that is well unless told otherwise; it ends with the test. */
export async function endpointOf(script: Script = well): Promise<RawEndpoint> {
  const endpoint = await rawEndpoint(script);
  onTestFinished(() => endpoint.refuse());
  return endpoint;
}

/** A mesh whose service `reviews` has these endpoints, with policies, and whatever other services are given. */
export async function join(endpoints: readonly RawEndpoint[], policies: object = {}, services: object = {}): Promise<JoinedMesh> {
  const addresses = endpoints.map(({ address }) => ({ address }));
  const mesh = await joinMesh({
    config: { apiVersion: "heddle/v1", services: { reviews: { endpoints: addresses, ...policies }, ...services } },
    onProblem: () => {},
  });
  onTestFinished(() => mesh.close({ limit: 0 }));
  return mesh;
}

export function inspected(mesh: JoinedMesh, service = "reviews"): readonly InspectedEndpoint[] {
  return mesh.inspect().backends.find(({ name }) => name === service)?.endpoints ?? [];
}

/** Nothing of any request is left: in flight, pending, in the books. */
export async function atRest(mesh: JoinedMesh): Promise<void> {
  const under = () => mesh.inspect().backends.map(({ name, inFlight, pending }) => ({ name, inFlight, pending }));
  const none = under().map(({ name }) => ({ name, inFlight: 0, pending: 0 }));
  await vi.waitFor(() => expect(under()).toEqual(none), WITHIN);
}

/** Closing ends without being forced to, and leaves no connection at any endpoint. */
export async function closes(mesh: JoinedMesh, endpoints: readonly RawEndpoint[]): Promise<void> {
  await mesh.close({ limit: "5s" });
  for (const endpoint of endpoints) endpoint.drain();
  await vi.waitFor(() => expect(endpoints.map(({ open }) => open)).toEqual(endpoints.map(() => 0)), WITHIN);
}

export async function until(met: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(met()).toBe(true), WITHIN);
}

/** Every test of the file fails where an error reaches nobody. */
export function nothingEscapes(): void {
  const escaped: unknown[] = [];
  const note = (error: unknown) => void escaped.push(error);
  beforeEach(() => {
    escaped.length = 0;
    process.on("unhandledRejection", note);
    process.on("uncaughtException", note);
  });
  afterEach(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    process.off("uncaughtException", note);
    expect(escaped).toEqual([]);
  });
}
