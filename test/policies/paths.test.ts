import { expect, test } from "vitest";
import { meshOf, ONE } from "./policy-mesh.ts";

const REGEX = { pattern: "^/service/([^/]+)(/.*)$", substitution: "\\2/instance/\\1" };

test.each([
  [{ prefix: "/v2" }, "/v2/service/foo/v1?q=/service"],
  [{ path: "/whole" }, "/whole?q=/service"],
  [{ regex: REGEX }, "/v1/instance/foo?q=/service"],
  [{ regex: { pattern: "o+", substitution: "[\\0\\\\]" } }, "/service/f[oo\\]/v1?q=/service"],
  [{ regex: { pattern: "^/", substitution: "" } }, "/service/foo/v1?q=/service"],
])("the rewrite %j leaves the query alone", async (rewrite, path) => {
  await using t = meshOf({ routes: [{ match: { path: { prefix: "/" } }, rewrite }] });
  await t.request("http://reviews/service/foo/v1?q=/service");
  expect(t.endpoint(ONE).requests[0]?.path).toBe(path);
  const { decision } = t.explain({ url: "http://reviews/service/foo/v1?q=/service" });
  expect(decision).toMatchObject({ kind: "forward", path });
});

test("the authority is rewritten beside the path", async () => {
  await using t = meshOf({ routes: [{ rewrite: { path: "/x", authority: "legacy.example:8080" } }] });
  await t.request("http://reviews/a");
  expect(t.endpoint(ONE).requests[0]).toMatchObject({ authority: "legacy.example:8080", path: "/x" });
});

test.each([
  [{ regex: REGEX }, 302, "http://reviews/v1/instance/foo?q=1"],
  [{ path: "/new", stripQuery: true, status: 301 }, 301, "http://reviews/new"],
  [{ scheme: "https", host: "shop.example", port: 8443, status: 307 }, 307, "https://shop.example:8443/service/foo/v1?q=1"],
  [{ host: "shop.example", regex: REGEX, stripQuery: true, status: 303 }, 303, "http://shop.example/v1/instance/foo"],
])("the redirect %j", async (redirect, status, location) => {
  await using t = meshOf({ routes: [{ match: { path: { prefix: "/service" } }, redirect }] });
  const reply = await t.request("http://reviews/service/foo/v1?q=1");
  expect([reply.status, reply.headers.location]).toEqual([status, location]);
});

test("a route may exclude methods", async () => {
  await using t = meshOf({
    routes: [{ name: "reads", match: { methods: { not: ["POST", "PUT"] } }, respond: { status: 204 } }, { name: "writes" }],
  });
  expect((await t.request("http://reviews/")).status).toBe(204);
  expect((await t.request("http://reviews/", { method: "DELETE" })).status).toBe(204);
  expect((await t.request("http://reviews/", { method: "POST" })).status).toBe(200);
});

test("the route's response headers are on every answer of the route, the mesh's own too", async () => {
  const headers = { response: { set: { "x-route": "a" } } };
  await using t = meshOf({ endpoints: [], routes: [{ headers, fallback: { on: ["no-endpoint"], respond: { status: 200 } } }] });
  expect((await t.request("http://reviews/")).headers["x-route"]).toBe("a");
});
