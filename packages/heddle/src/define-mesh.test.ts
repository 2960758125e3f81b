import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, expectTypeOf, onTestFinished, test } from "vitest";
import { defineMesh, type RouteName, type ServiceName, type SubsetName } from "./define-mesh.ts";
import { type JoinedMesh, joinMesh } from "./join.ts";

// What is wrong here is found by the compiler: `npm run check` fails where an expected error does not come.

const shop = defineMesh({
  apiVersion: "heddle/v1",
  policies: { patient: { timeout: { head: "60s" } } },
  services: {
    reviews: {
      hosts: ["reviews", "reviews.shop.example"],
      use: "patient",
      subsets: { v1: { labels: { version: "v1" } }, v2: { labels: { version: "v2" } } },
      routes: [
        { name: "beta", match: { path: { prefix: "/api" } }, to: [{ subset: "v2" }] },
        { name: "rest", to: [{ subset: "v1", weight: 90 }, { service: "ratings" }] },
      ],
    },
    ratings: { endpoints: [{ address: "127.0.0.1:9090" }] },
  },
});

test("names of services, hosts, subsets and routes are types", () => {
  expectTypeOf<ServiceName<typeof shop>>().toEqualTypeOf<"reviews" | "ratings" | "reviews.shop.example">();
  expectTypeOf<SubsetName<typeof shop, "reviews">>().toEqualTypeOf<"v1" | "v2">();
  expectTypeOf<RouteName<typeof shop, "reviews">>().toEqualTypeOf<"beta" | "rest">();
  expectTypeOf<ServiceName<string>>().toEqualTypeOf<string>();
});

test("a name that the document does not define is refused where it stands", () => {
  defineMesh({
    apiVersion: "heddle/v1",
    services: {
      ratings: {},
      reviews: {
        subsets: { v1: { labels: {} } },
        routes: [
          // @ts-expect-error there is no subset v9
          { to: [{ subset: "v9" }] },
          // @ts-expect-error there is no service rating
          { to: [{ service: "rating" }] },
          // @ts-expect-error v1 is a subset of reviews
          { to: [{ service: "ratings", subset: "v1" }] },
        ],
      },
    },
  });
  // @ts-expect-error there is no policy called impatient
  defineMesh({ apiVersion: "heddle/v1", policies: { patient: {} }, services: { reviews: { use: "impatient" } } });
  defineMesh({
    apiVersion: "heddle/v1",
    mesh: { trustDomain: "shop.example", identityTemplate: "spiffe://{trustDomain}/{service}" },
    services: {
      reviews: {
        tls: { mode: "mutual" },
        inbound: { mtls: "strict", authorize: [{ name: "reads", from: [{ principals: ["spiffe://shop.example/web"] }] }] },
      },
      // @ts-expect-error mutal is no mode
      ratings: { tls: { mode: "mutal" } },
      // @ts-expect-error principal is not a key
      web: { inbound: { authorize: [{ name: "reads", from: [{ principal: ["spiffe://shop.example/web"] }] }] } },
    },
  });
  // @ts-expect-error timeOut is not a key
  defineMesh({ apiVersion: "heddle/v1", services: { reviews: { timeOut: "1s" } } });
});

test("it is the document itself, and a mesh that joins with it knows its services", async () => {
  const server = createServer((_request, response) => response.end("hello"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const document = defineMesh({ apiVersion: "heddle/v1", services: { reviews: { endpoints: [{ address }] } } });
  expect(document).toEqual({ apiVersion: "heddle/v1", services: { reviews: { endpoints: [{ address }] } } });
  await using mesh = await joinMesh({ config: document });
  expect(await mesh.service("reviews").get("/").text()).toBe("hello");
  // @ts-expect-error there is no service called review
  expect(mesh.service("review").name).toBe("review");
  expectTypeOf<JoinedMesh<"reviews">>().toExtend<JoinedMesh>();
});

test("without a definition any name is taken", () => {
  expectTypeOf<Parameters<JoinedMesh["service"]>[0]>().toEqualTypeOf<string>();
  const join = () => joinMesh({ config: { apiVersion: "heddle/v1", services: { reviews: {} } } });
  expectTypeOf<Parameters<Awaited<ReturnType<typeof join>>["service"]>[0]>().toEqualTypeOf<string>();
});
