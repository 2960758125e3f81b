import { Readable } from "node:stream";
import { type MeshError, meshError } from "@heddle/core";
import { expect, test } from "vitest";
import { echo, meshOf, serve } from "../test/front-doors.ts";
import { checkCallOptions } from "./call-options.ts";
import { meshRequest, type RequestOptions } from "./request.ts";

interface Echo {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

async function setup(settings: object = {}) {
  const server = await serve(echo);
  const mesh = await meshOf([server.address], {}, settings);
  return { server, mesh, request: meshRequest(mesh) };
}

test("the host of the URL names the service, and the reply is status, headers and body", async () => {
  const { request } = await setup();
  const reply = await request("http://reviews/api/7?a=b");
  expect(reply.status).toBe(200);
  expect(reply.ok).toBe(true);
  expect(reply.headers["content-type"]).toBe("application/json");
  expect(await reply.json()).toMatchObject({ method: "GET", url: "/api/7?a=b", headers: { host: "reviews" } });
});

test("sends JSON, with POST where no method is given", async () => {
  const { request } = await setup();
  const seen = await (await request("http://reviews/", { json: { a: 1 } })).json<Echo>();
  expect(seen).toMatchObject({ method: "POST", body: '{"a":1}', headers: { "content-type": "application/json", "content-length": "7" } });
});

test("takes headers as an object, as Headers and as pairs", async () => {
  const { request } = await setup();
  for (const headers of [{ "X-User": "jason" }, new Headers({ "x-user": "jason" }), [["X-User", "jason"]] as [string, string][]]) {
    const seen = await (await request("http://reviews/", { headers })).json<Echo>();
    expect(seen.headers["x-user"]).toBe("jason");
  }
});

test("puts the query behind the path, and repeats a list", async () => {
  const { request } = await setup();
  const seen = await (await request("http://reviews/a?b=1", { query: { c: ["2", "3"], d: undefined, e: true } })).json<Echo>();
  expect(seen.url).toBe("/a?b=1&c=2&c=3&e=true");
});

test("sends bodies of every kind", async () => {
  const { request } = await setup();
  const form = new FormData();
  form.append("name", "value");
  const bodies: [RequestOptions["body"], string, string | undefined][] = [
    ["text", "text", undefined],
    [new Uint8Array([104, 105]), "hi", undefined],
    [new Uint8Array([104, 105]).buffer, "hi", undefined],
    [new URLSearchParams({ a: "b" }), "a=b", "application/x-www-form-urlencoded;charset=UTF-8"],
    [new Blob(["blob"], { type: "text/plain" }), "blob", "text/plain"],
    [Readable.from(["str", "eam"]), "stream", undefined],
    [["it", "erable"], "iterable", undefined],
  ];
  for (const [body, expected, type] of bodies) {
    const seen = await (await request("http://reviews/", { method: "PUT", body })).json<Echo>();
    expect(seen.body).toBe(expected);
    expect(seen.headers["content-type"]).toBe(type);
  }
  const seen = await (await request("http://reviews/", { body: form })).json<Echo>();
  expect(seen.headers["content-type"]).toMatch(/^multipart\/form-data; boundary=/);
  expect(seen.body).toContain('name="name"\r\n\r\nvalue');
});

test("an option that does not exist is refused with the nearest one", async () => {
  const { request } = await setup();
  await expect(request("http://reviews/", { heders: {} } as RequestOptions)).rejects.toThrow(
    "heders is not an option; did you mean headers?",
  );
  await expect(request("http://reviews/", { mesh: { timeot: 1 } } as RequestOptions)).rejects.toThrow("did you mean timeout?");
  await expect(request("http://reviews/", { timeout: 1 } as RequestOptions)).rejects.toThrow("timeout stands under mesh");
});

test("what is not an absolute http URL is refused", async () => {
  const { request } = await setup();
  for (const url of ["/api", "ftp://reviews/", "http://user:secret@reviews/"]) await expect(request(url)).rejects.toBeInstanceOf(TypeError);
});

test("an aborted signal sends nothing, and its reason comes back unchanged", async () => {
  const { request, server } = await setup();
  const reason = new Error("enough");
  await expect(request("http://reviews/", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(server.connections()).toBe(0);
});

test("a signal stops a request that waits for its answer, with its own reason", async () => {
  const server = await serve(() => {});
  const request = meshRequest(await meshOf([server.address]));
  const abort = new AbortController();
  const reply = request("http://reviews/", { signal: abort.signal });
  await expect.poll(server.connections).toBe(1);
  abort.abort("my reason");
  await expect(reply).rejects.toBe("my reason");
});

test("a signal stops a body that is being read, with its own reason", async () => {
  const server = await serve((_request, response) => response.writeHead(200).write("part"));
  const request = meshRequest(await meshOf([server.address]));
  const abort = new AbortController();
  const reply = await request("http://reviews/", { signal: abort.signal });
  const text = reply.text();
  abort.abort("my reason");
  await expect(text).rejects.toBe("my reason");
});

test("a signal that serves many requests keeps none of their listeners", async () => {
  const { request } = await setup();
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...given: unknown[]) => {
    listeners++;
    (add as (...given: unknown[]) => void)(...given);
  };
  signal.removeEventListener = (...given: unknown[]) => {
    listeners--;
    (remove as (...given: unknown[]) => void)(...given);
  };
  for (let count = 0; count < 3; count++) await (await request("http://reviews/", { signal })).text();
  expect(listeners).toBe(0);
});

test("the report says where a request went", async () => {
  const { request, mesh, server } = await setup();
  const reply = await request("http://reviews/", { mesh: { tags: { lane: "pr-41" } } });
  expect(mesh.report(reply)).toMatchObject({ service: "reviews", endpoint: server.address, tags: { lane: "pr-41" } });
});

test("a timeout of the call is the mesh's error, with its code", async () => {
  const server = await serve(() => {});
  const request = meshRequest(await meshOf([server.address]));
  const error = await request("http://reviews/", { mesh: { timeout: "50ms" } }).catch((thrown: unknown) => thrown as MeshError);
  expect(meshError(error)?.code).toBe("deadline_exceeded");
});

test("a host that no service claims is called directly, within the call's timeout", async () => {
  const { request } = await setup();
  const other = await serve((asked, response) => {
    if (asked.url === "/ok") response.end("direct");
  });
  expect(await (await request(`http://${other.address}/ok`)).text()).toBe("direct");
  const late = await request(`http://${other.address}/never`, { mesh: { timeout: "50ms" } }).catch((thrown: unknown) => thrown);
  expect(meshError(late)?.code).toBe("deadline_exceeded");
});

test("with egress deny a host that no service claims fails with unknown_service", async () => {
  const { request } = await setup({ egress: "deny" });
  const error = await request("http://127.0.0.1:1/").catch((thrown: unknown) => thrown);
  expect(meshError(error)?.code).toBe("unknown_service");
});

test("the stream of a body whose request failed is destroyed", async () => {
  const server = await serve(() => {});
  const request = meshRequest(await meshOf([server.address]));
  const body = new Readable({ read() {} });
  body.push("part");
  await expect(request("http://reviews/", { method: "PUT", body, mesh: { timeout: 50 } })).rejects.toThrow();
  expect(body.destroyed).toBe(true);
});

test("an error that the caller's own body throws comes back as it is", async () => {
  const { request } = await setup();
  const mine = new Error("mine");
  const body = (async function* () {
    yield "part";
    throw mine;
  })();
  await expect(request("http://reviews/", { method: "PUT", body })).rejects.toBe(mine);
});

test("the URL names the service even where a host header says another authority", async () => {
  const { request } = await setup();
  const seen = await (await request("http://reviews/", { headers: { host: "Shop.Example" } })).json<Echo>();
  expect(seen.headers.host).toBe("shop.example");
});

test.each([
  [{ timeout: "soon" }, /mesh\.timeout: must be milliseconds/],
  [{ retry: "off" }, /mesh\.retry: must be false/],
  [{ retry: { maxRetries: 0 } }, /mesh\.retry: must be false/],
  [{ idempotent: "yes" }, /mesh\.idempotent: must be a boolean/],
  [{ tags: 5 }, /mesh\.tags: must be an object of strings/],
])("a call option of a wrong kind is refused, not ignored (%#)", (options, expected) => {
  expect(() => checkCallOptions(options as never)).toThrow(expected);
});
