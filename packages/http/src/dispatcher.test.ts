import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { Readable } from "node:stream";
import { meshError, runInScope } from "@heddle/core";
import undici, { Agent, type Dispatcher, errors, MockAgent } from "undici";
import { expect, onTestFinished, test } from "vitest";
import { echo, meshOf, serve } from "../test/front-doors.ts";
import { MeshDispatcher, type MeshDispatchOptions } from "./dispatcher.ts";

interface Echo {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

async function setup(listener: Parameters<typeof serve>[0] = echo, settings: object = {}) {
  const server = await serve(listener);
  const mesh = await meshOf([server.address], {}, settings);
  return { server, mesh, dispatcher: new MeshDispatcher(mesh) };
}

type Options = Parameters<typeof undici.request>[1] & { mesh?: MeshDispatchOptions["mesh"] };

/** A handler that notes what it is told, in order. */
function recorder() {
  const events: string[] = [];
  const { promise: over, resolve } = Promise.withResolvers<unknown>();
  let controller: Dispatcher.DispatchController | undefined;
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(given) {
      controller = given;
      events.push("start");
    },
    onResponseStart: (_controller, status) => void events.push(`head ${status}`),
    onResponseData: (_controller, chunk) => void events.push(`data ${chunk.length}`),
    onResponseEnd(_controller, trailers) {
      events.push(`end ${JSON.stringify(trailers)}`);
      resolve(null);
    },
    onResponseError(_controller, error) {
      events.push("error");
      resolve(error);
    },
  };
  return { events, handler, over, controller: () => controller };
}

test("undici.request goes to the service that the host names", async () => {
  const { dispatcher } = await setup();
  const { statusCode, headers, body } = await undici.request("http://reviews/api/7?a=b", { dispatcher });
  expect(statusCode).toBe(200);
  expect(headers["content-type"]).toBe("application/json");
  expect(await body.json()).toMatchObject({ method: "GET", url: "/api/7?a=b", headers: { host: "reviews" } });
});

test("takes the headers, query and bodies that undici.request takes", async () => {
  const { dispatcher } = await setup();
  const send = async (options: Options) =>
    (await (await undici.request("http://reviews/", { dispatcher, ...options })).body.json()) as Echo;
  expect((await send({ headers: ["X-A", "1", "x-b", "2"] })).headers).toMatchObject({ "x-a": "1", "x-b": "2" });
  expect((await send({ headers: new Headers({ "x-a": "1" }) as never })).headers["x-a"]).toBe("1");
  expect((await send({ headers: { connection: "close", "keep-alive": "timeout=1", "x-a": "1" } })).headers["x-a"]).toBe("1");
  expect((await send({ query: { a: ["1", "2"] } })).url).toBe("/?a=1&a=2");
  expect((await send({ method: "POST", body: "text" })).body).toBe("text");
  expect((await send({ method: "POST", body: Buffer.from("bytes") })).body).toBe("bytes");
  expect((await send({ method: "POST", body: Readable.from(["str", "eam"]) })).body).toBe("stream");
});

test("calls a handler in undici's order, the start before anything", async () => {
  const { dispatcher } = await setup((_request, response) => {
    response.writeHead(200, { trailer: "x-checksum" });
    response.write("body");
    response.addTrailers({ "x-checksum": "7" });
    response.end();
  });
  const { events, handler, over } = recorder();
  dispatcher.dispatch({ origin: "http://reviews", path: "/", method: "GET" }, handler);
  expect(events).toEqual(["start"]);
  await over;
  expect(events).toEqual(["start", "head 200", "data 4", 'end {"x-checksum":"7"}']);
});

test("a handler that gives up at the start sends nothing", async () => {
  const { dispatcher, server } = await setup();
  const { events, handler, over } = recorder();
  const reason = new Error("enough");
  dispatcher.dispatch(
    { origin: "http://reviews", path: "/", method: "GET" },
    { ...handler, onRequestStart: (controller) => controller.abort(reason) },
  );
  expect(await over).toBe(reason);
  expect(events).toEqual(["error"]);
  expect(server.connections()).toBe(0);
});

test("an abort by the handler stops the request and is its error", async () => {
  let isClosed = false;
  const { dispatcher, server } = await setup((request) => {
    request.on("close", () => {
      isClosed = true;
    });
  });
  const { handler, over, controller } = recorder();
  dispatcher.dispatch({ origin: "http://reviews", path: "/", method: "GET" }, handler);
  await expect.poll(server.connections).toBe(1);
  const reason = new Error("enough");
  controller()?.abort(reason);
  expect(await over).toBe(reason);
  expect(controller()).toMatchObject({ aborted: true, reason });
  await expect.poll(() => isClosed).toBe(true);
});

test("a handler that throws fails its own request, once", async () => {
  const { dispatcher } = await setup();
  const { events, handler, over } = recorder();
  const mine = new Error("mine");
  dispatcher.dispatch(
    { origin: "http://reviews", path: "/", method: "GET" },
    {
      ...handler,
      onResponseData() {
        throw mine;
      },
    },
  );
  expect(await over).toBe(mine);
  expect(events).toEqual(["start", "head 200", "error"]);
});

test("a paused handler is given nothing until it resumes", async () => {
  const { dispatcher } = await setup((_request, response) => response.end(Buffer.alloc(2_000_000)));
  const { events, handler, over, controller } = recorder();
  let bytes = 0;
  dispatcher.dispatch(
    { origin: "http://reviews", path: "/", method: "GET" },
    {
      ...handler,
      onResponseStart: (given) => given.pause(),
      onResponseData: (_controller, chunk) => {
        bytes += chunk.length;
      },
    },
  );
  await expect.poll(() => controller()?.paused).toBe(true);
  expect(bytes).toBe(0);
  controller()?.resume();
  await over;
  expect(events).toEqual(["start", "end {}"]);
  expect(bytes).toBe(2_000_000);
});

test("speaks to handlers of the former interface, as Node's own fetch has them", async () => {
  const { dispatcher } = await setup();
  const response = await fetch("http://reviews/api/7", { dispatcher } as object);
  expect(await response.json()).toMatchObject({ url: "/api/7" });
});

test("a call's mesh options hold, and one that does not exist is refused", async () => {
  const { dispatcher } = await setup(() => {});
  const send = (mesh: object) => undici.request("http://reviews/", { dispatcher, mesh } as Options).catch((thrown: unknown) => thrown);
  expect(meshError(await send({ timeout: "50ms" }))?.code).toBe("deadline_exceeded");
  expect(String(await send({ timeot: 1 }))).toContain("did you mean timeout?");
  // Also where no service claims the host, and the mesh does little else for it.
  const direct = await undici
    .request("http://127.0.0.1:1/", { dispatcher, mesh: { timeot: 1 } } as Options)
    .catch((thrown: unknown) => thrown);
  expect(String(direct)).toContain("did you mean timeout?");
});

test("undici's own timeouts hold where they are given", async () => {
  const { dispatcher } = await setup((request, response) => {
    if (request.url === "/body") response.write("part");
  });
  await expect(undici.request("http://reviews/head", { dispatcher, headersTimeout: 50 })).rejects.toBeInstanceOf(
    errors.HeadersTimeoutError,
  );
  const { body } = await undici.request("http://reviews/body", { dispatcher, bodyTimeout: 50 });
  await expect(body.text()).rejects.toBeInstanceOf(errors.BodyTimeoutError);
});

test("a caller's signal stops a request with its own reason", async () => {
  const { dispatcher, server } = await setup(() => {});
  const abort = new AbortController();
  const reply = undici.request("http://reviews/", { dispatcher, signal: abort.signal });
  await expect.poll(server.connections).toBe(1);
  const reason = new Error("mine");
  abort.abort(reason);
  await expect(reply).rejects.toBe(reason);
});

test("an upgrade to an unclaimed host is passed on", async () => {
  const { dispatcher } = await setup();
  const server = createServer((socket) => {
    socket.once("data", () => socket.end("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { headers, socket } = await dispatcher.upgrade({ origin, path: "/", protocol: "websocket" } as never);
  expect(headers.upgrade).toBe("websocket");
  socket.destroy();
});

test("hosts that no service claims go to the dispatcher that was global when this one was made", async () => {
  const { mesh } = await setup();
  const mock = new MockAgent();
  mock.disableNetConnect();
  mock.get("http://elsewhere.example").intercept({ path: "/" }).reply(200, "mocked");
  const before = undici.getGlobalDispatcher();
  undici.setGlobalDispatcher(mock);
  const dispatcher = new MeshDispatcher(mesh);
  undici.setGlobalDispatcher(before);
  const { body } = await undici.request("http://elsewhere.example/", { dispatcher });
  expect(await body.text()).toBe("mocked");
});

test("with egress deny an unclaimed host fails with unknown_service", async () => {
  const { dispatcher } = await setup(echo, { egress: "deny" });
  const error = await undici.request("http://127.0.0.1:1/", { dispatcher }).catch((thrown: unknown) => thrown);
  expect(meshError(error)?.code).toBe("unknown_service");
});

test("an unclaimed host keeps the deadline of the inbound request it is called in", async () => {
  const { mesh } = await setup();
  const agent = new Agent();
  onTestFinished(() => agent.close());
  const dispatcher = new MeshDispatcher(mesh, { unclaimed: agent });
  const silent = await serve(() => {});
  const scope = { trace: null, tags: null, deadlineAt: mesh.clock.now() + 50, isRetry: false };
  const error = await runInScope(scope, () => undici.request(`http://${silent.address}/`, { dispatcher })).catch(
    (thrown: unknown) => thrown,
  );
  expect(meshError(error)?.code).toBe("deadline_exceeded");
});

test("the report says where a request went", async () => {
  const { mesh, dispatcher, server } = await setup();
  const data = await undici.request("http://reviews/", { dispatcher });
  expect(mesh.report(data)?.endpoint).toBe(server.address);
  await data.body.dump();
});
