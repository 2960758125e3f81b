import { meshError } from "@heddle/core";
import { testAuthority } from "@heddle/testing/authority";
import { expect, test } from "vitest";
import { TextClient } from "../../../test/grpc/text-service.ts";
import { testMesh } from "./test-mesh.ts";
import { virtualClock } from "./virtual-clock.ts";

const DOCUMENT = {
  apiVersion: "heddle/v1",
  mesh: { trustDomain: "shop.test", identityTemplate: "spiffe://{trustDomain}/{service}" },
  services: { web: {}, orders: { endpoints: [{ address: "127.0.0.1:9081" }], inbound: { mtls: "strict" } } },
};

const code = (call: Promise<{ readonly status: number }>): Promise<unknown> =>
  call.then(
    ({ status }) => status,
    (error: { readonly code?: unknown }) => error.code,
  );

test("a certificate that has ended calls nobody, as on a real mesh", async () => {
  const authority = testAuthority({ trustDomain: "shop.test", clock: virtualClock() });
  await using t = testMesh({ service: "web", config: DOCUMENT, identity: authority.source("web", { lifetime: "1h" }) });
  expect(await code(t.request("http://orders/"))).toBe(200);
  await t.advance("24h");
  expect(t.mesh.health().ok).toBe(false);
  expect(await code(t.request("http://orders/"))).toBe("no_identity");
});

test("neither does it by gRPC", async () => {
  const authority = testAuthority({ trustDomain: "shop.test", clock: virtualClock() });
  const config = { ...DOCUMENT, services: { ...DOCUMENT.services, orders: { ...DOCUMENT.services.orders, protocol: "grpc" } } };
  await using t = testMesh({ service: "web", config, identity: authority.source("web", { lifetime: "1h" }) });
  const client = t.grpc(TextClient, "orders");
  const call = () => new Promise((resolve) => client.unary("hello", (error) => resolve(meshError(error)?.code ?? error)));
  expect(await call()).toBeNull();
  await t.advance("24h");
  expect(await call()).toBe("no_identity");
});

test("an identity of another trust domain than the document's is refused at once", () => {
  const authority = testAuthority({ trustDomain: "other.test", clock: virtualClock() });
  expect(() => testMesh({ service: "web", config: DOCUMENT, identity: authority.source("web") })).toThrow(/shop\.test.*other\.test/s);
});

test("without an identity of its own a test that is about something else calls a strict service all the same", async () => {
  await using t = testMesh({ service: "web", config: DOCUMENT });
  expect(await code(t.request("http://orders/"))).toBe(200);
  expect(t.endpoint("127.0.0.1:9081").requests).toHaveLength(1);
});

test("a service that demands an identity of itself and has none is refused at once, and nothing is said to wait", () => {
  expect(() => testMesh({ service: "orders", config: DOCUMENT })).toThrow(/mtls is strict.*give joinMesh an `identity`$/);
});
