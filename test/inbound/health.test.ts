import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Application, attach, type HealthOptions, listen } from "@heddle/http";
import { expect, onTestFinished, test } from "vitest";
import { type ServingFacts, servingMesh, type TestServingMesh } from "./serving-mesh.ts";

const app: Application = (request, response) => response.end(`app ${request.url}`);

async function serve(facts: ServingFacts, health: HealthOptions | false = {}): Promise<{ mesh: TestServingMesh; url: string }> {
  const mesh = servingMesh(facts);
  const { url, destroy, close } = await listen(mesh, app, { host: "127.0.0.1", health });
  onTestFinished(async () => {
    destroy();
    await close();
  });
  return { mesh, url };
}

async function probe(url: string, init: RequestInit = {}): Promise<{ status: number; body: unknown }> {
  const reply = await fetch(url, init);
  const text = await reply.text();
  return { status: reply.status, body: reply.headers.get("content-type") === "application/json" && text ? JSON.parse(text) : text };
}

test("livez answers 200 whatever the mesh thinks, and readyz says why not", async () => {
  const { mesh, url } = await serve({ isReady: () => false, because: ["source mesh.yaml has not delivered yet"] });
  expect(await probe(`${url}/livez`)).toEqual({ status: 200, body: { ok: true, because: [] } });
  expect(await probe(`${url}/readyz?full`)).toEqual({
    status: 503,
    body: { ok: false, because: ["source mesh.yaml has not delivered yet"] },
  });
  expect(mesh.runs).toBe(0);
});

test("readyz answers 200 when nothing speaks against it", async () => {
  const { url } = await serve({}, { checks: { db: async () => 1, cache: () => true, none: () => undefined } });
  expect(await probe(`${url}/readyz`)).toEqual({ status: 200, body: { ok: true, because: [] } });
});

test("readyz names every check that rejects, throws or says false", async () => {
  const checks = {
    db: () => Promise.reject(new Error("connection refused")),
    cache: () => {
      throw new Error("not open");
    },
    queue: async () => false,
    fine: async () => true,
  };
  const { url } = await serve({}, { checks });
  const because = ["check db: connection refused", "check cache: not open", "check queue: failed"];
  expect(await probe(`${url}/readyz`)).toEqual({ status: 503, body: { ok: false, because } });
});

test("a check that hangs fails after a second, and is not started again meanwhile", async () => {
  let runs = 0;
  const hang = () => {
    runs++;
    return new Promise(() => {});
  };
  const { url } = await serve({}, { checks: { db: hang } });
  const replies = await Promise.all([probe(`${url}/readyz`), probe(`${url}/readyz`)]);
  for (const { status, body } of replies) {
    expect(status).toBe(503);
    expect(body).toMatchObject({ because: ["check db: no answer within 1 s"] });
  }
  expect(runs).toBe(1);
});

test("a check that has answered is asked anew at the next probe", async () => {
  let isOpen = false;
  const { url } = await serve({}, { checks: { db: () => isOpen } });
  expect((await probe(`${url}/readyz`)).status).toBe(503);
  isOpen = true;
  expect((await probe(`${url}/readyz`)).status).toBe(200);
});

test("readyz fails while the mesh drains, livez does not", async () => {
  const { mesh, url } = await serve({});
  mesh.isDraining = true;
  expect(await probe(`${url}/readyz`)).toEqual({ status: 503, body: { ok: false, because: ["draining"] } });
  expect((await probe(`${url}/livez`)).status).toBe(200);
});

test("health answers HEAD, and leaves other methods and paths to the application", async () => {
  const { url } = await serve({});
  expect(await probe(`${url}/readyz`, { method: "HEAD" })).toEqual({ status: 200, body: "" });
  expect(await probe(`${url}/livez`, { method: "POST" })).toEqual({ status: 200, body: "app /livez" });
  expect(await probe(`${url}/livez/x`)).toEqual({ status: 200, body: "app /livez/x" });
});

test("the paths can be chosen, or left to the application", async () => {
  const chosen = await serve({}, { live: "/alive", ready: "/healthz" });
  expect((await probe(`${chosen.url}/alive`)).body).toMatchObject({ ok: true });
  expect((await probe(`${chosen.url}/healthz`)).body).toMatchObject({ ok: true });
  expect((await probe(`${chosen.url}/livez`)).body).toBe("app /livez");
  const none = await serve({}, false);
  expect((await probe(`${none.url}/livez`)).body).toBe("app /livez");
  await expect(listen(servingMesh(), app, { health: { live: "livez" } })).rejects.toThrow('must be a path that starts with "/"');
});

test("attach answers health requests only where it was asked to", async () => {
  const mesh = servingMesh();
  const server = createServer(app as () => void);
  attach(mesh, server, { health: {} });
  const plain = createServer(app as () => void);
  attach(mesh, plain);
  const bodies: unknown[] = [];
  for (const each of [server, plain]) {
    each.listen(0, "127.0.0.1");
    await once(each, "listening");
    bodies.push((await probe(`http://127.0.0.1:${(each.address() as AddressInfo).port}/livez`)).body);
  }
  await mesh.close();
  expect(bodies).toEqual([{ ok: true, because: [] }, "app /livez"]);
});
