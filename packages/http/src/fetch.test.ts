import { meshError } from "@heddle/core";
import { testMesh } from "@heddle/testing";
import { expect, test } from "vitest";
import { echo, meshOf, serve } from "../test/front-doors.ts";
import { meshFetch } from "./fetch.ts";

async function setup(listener: Parameters<typeof serve>[0] = echo) {
  const server = await serve(listener);
  const mesh = await meshOf([server.address]);
  return { server, mesh, fetch: meshFetch(mesh) };
}

test("fetches from the service that the host names", async () => {
  const { fetch } = await setup();
  const response = await fetch("http://reviews/api/7", { headers: { "x-user": "jason" } });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(await response.json()).toMatchObject({ url: "/api/7", headers: { host: "reviews", "x-user": "jason" } });
});

test("takes a Request and FormData of Node's own fetch", async () => {
  const { fetch } = await setup();
  const request = new Request("http://reviews/api", { method: "POST", body: "text", headers: { "x-user": "jason" } });
  expect(await (await fetch(request)).json()).toMatchObject({ method: "POST", url: "/api", body: "text", headers: { "x-user": "jason" } });
  const body = new FormData();
  body.append("name", "value");
  const seen = (await (await fetch("http://reviews/", { method: "POST", body })).json()) as { body: string };
  expect(seen.body).toContain('name="name"\r\n\r\nvalue');
});

test("a failure of the mesh is fetch's TypeError with the mesh's error as cause", async () => {
  const { fetch } = await setup(() => {});
  const error = await fetch("http://reviews/", { mesh: { timeout: "50ms" } }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TypeError);
  expect(String(error)).toContain("fetch failed");
  expect(meshError(error)?.code).toBe("deadline_exceeded");
});

test("a body that breaks together with its head fails its reader", async () => {
  await using t = testMesh({ config: { apiVersion: "heddle/v1", services: { reviews: { endpoints: [{ address: "127.0.0.1:9081" }] } } } });
  for (const after of ["head", "body"] as const) {
    t.endpoint("127.0.0.1:9081").reset({ after });
    const response = await meshFetch(t.mesh)("http://reviews/");
    const error = await response.text().catch((thrown: unknown) => thrown);
    expect([after, meshError(error)?.code]).toEqual([after, "connection_reset"]);
  }
});

test("the caller's own signal.reason comes back unchanged", async () => {
  const { fetch, server } = await setup(() => {});
  const reason = new Error("mine");
  const abort = new AbortController();
  const response = fetch("http://reviews/", { signal: abort.signal });
  await expect.poll(server.connections).toBe(1);
  abort.abort(reason);
  await expect(response).rejects.toBe(reason);
  await expect(fetch("http://reviews/", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test("the report says where a request went", async () => {
  const { fetch, mesh, server } = await setup();
  expect(mesh.report(await fetch("http://reviews/"))?.endpoint).toBe(server.address);
});

test("a mesh option that does not exist is refused", async () => {
  const { fetch } = await setup();
  await expect(fetch("http://reviews/", { mesh: { timeot: 1 } as object })).rejects.toThrow("did you mean timeout?");
});

test("follows a redirect of the service through the mesh", async () => {
  const { fetch } = await setup((request, response) => {
    if (request.url === "/old") response.writeHead(302, { location: "/new" }).end();
    else response.end(request.url);
  });
  expect(await (await fetch("http://reviews/old")).text()).toBe("/new");
});

test("streams a body to its end", async () => {
  const { fetch } = await setup((_request, response) => response.end(Buffer.alloc(3_000_000)));
  expect((await (await fetch("http://reviews/")).arrayBuffer()).byteLength).toBe(3_000_000);
});
