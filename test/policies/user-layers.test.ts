import {
  copyHeaders,
  derive,
  type ExtensionOptions,
  headerValue,
  type Layer,
  localResponse,
  MeshError,
  type UserLayer,
} from "@heddle/core";
import { type TestMesh, testMesh } from "@heddle/testing";
import { expect, test } from "vitest";
import { document, ONE, OTHER, outcomes } from "./policy-mesh.ts";

const TWICE = { retry: { maxRetries: 1, backoff: { base: "1ms" } } };

function meshWith(given: ExtensionOptions, reviews: object = {}): TestMesh {
  return testMesh({ config: document(reviews), ...given });
}

async function call(t: TestMesh, url = "http://reviews/api", headers: Record<string, string> = {}) {
  const reply = t.request(url, { headers }).catch((error: unknown) => error as MeshError);
  await t.advance("10s");
  return reply;
}

function withHeader(name: string, value: string): Layer {
  return (next) => (request) => {
    const headers = copyHeaders(request.headers);
    headers[name] = value;
    return next(derive(request, { headers }));
  };
}

const throwing: Layer = () => () => {
  throw new RangeError("mistake");
};

test("a layer at request sees each call once, before its route, and one at attempt each try", async () => {
  const seen: string[] = [];
  const watch =
    (at: "request" | "attempt"): Layer =>
    (next) =>
    (request) => {
      seen.push(`${at} ${request.context.route || "-"} ${request.attempt?.number ?? "-"}`);
      return next(request);
    };
  const layers: UserLayer[] = [
    { at: "attempt", layer: watch("attempt") },
    { at: "request", layer: watch("request") },
  ];
  await using t = meshWith({ layers }, TWICE);
  t.endpoint(ONE).respond({ status: 503 }).times(1);
  expect(await call(t)).toMatchObject({ status: 200 });
  expect(seen).toEqual(["request - -", "attempt default 1", "attempt default 2"]);
});

test("what a layer at request changes decides the route, and what one at attempt changes reaches the endpoint", async () => {
  const layers: UserLayer[] = [
    { at: "request", layer: withHeader("x-lane", "new") },
    { at: "attempt", layer: withHeader("x-try", "yes") },
  ];
  const routes = [{ match: { headers: { "x-lane": { exact: "new" } } }, to: [{ service: "other" }] }, {}];
  await using t = meshWith({ layers }, { routes });
  await call(t);
  expect(t.attempts().map(({ endpoint }) => endpoint)).toEqual([OTHER]);
  expect(t.endpoint(OTHER).requests.map(({ headers }) => [headers["x-lane"], headers["x-try"]])).toEqual([["new", "yes"]]);
});

test("a layer may answer itself: at request nothing is tried, at attempt the answer is that of the try", async () => {
  const answer: Layer = () => async () => localResponse(203, "mine");
  await using above = meshWith({ layers: [{ at: "request", layer: answer }] });
  expect(await call(above)).toMatchObject({ status: 203 });
  expect(above.attempts()).toEqual([]);
  expect(outcomes(above, "reviews")).toEqual({ 203: 1 });
  await using beneath = meshWith({ layers: [{ at: "attempt", layer: answer }] });
  expect(await call(beneath)).toMatchObject({ status: 203 });
  expect(beneath.attempts()).toMatchObject([{ endpoint: "", outcome: "203" }]);
});

test.each<[string, Layer]>([
  ["throws where it is asked", throwing],
  ["throws where it is put into the stack", () => throwing(async () => localResponse(200, null)) as never],
  ["is no layer", (() => undefined) as never],
  ["rejects with an error of its own", () => () => Promise.reject(new RangeError("mistake"))],
  ["rejects with what is no error", () => () => Promise.reject("mistake")],
  ["answers with what is no response", () => async () => ({ status: 200 }) as never],
  ["answers with nothing", () => async () => undefined as never],
])("a layer that %s fails its request with extension_failed, in either place, and not the mesh", async (_what, layer) => {
  for (const at of ["request", "attempt"] as const) {
    await using t = meshWith({
      layers: [{ at, layer: (next) => (request) => (request.path === "/bad" ? layer(next)(request) : next(request)) }],
    });
    const failure = await call(t, "http://reviews/bad");
    expect(failure).toMatchObject({ code: "extension_failed", status: 500, retryable: false });
    expect((failure as MeshError).report).toMatchObject({ service: "reviews" });
    expect(outcomes(t, "reviews")).toEqual({ extension_failed: 1 });
    expect(await call(t)).toMatchObject({ status: 200 });
    expect(t.mesh.inspect().backends.map(({ inFlight }) => inFlight)).not.toContain(1);
  }
});

test("a layer of the wrong shape is met by its requests only, and by nobody else", async () => {
  const broken = (() => {
    throw new Error("cannot be built");
  }) as Layer;
  await using t = meshWith({ namedLayers: { broken: () => broken } }, { layers: [{ use: "broken" }] });
  expect(await call(t)).toMatchObject({
    code: "extension_failed",
    message: expect.stringContaining("the layer broken failed: cannot be built"),
  });
  expect(await call(t, "http://other/")).toMatchObject({ status: 200 });
});

test("what a layer rejects with as the mesh's own error, and what comes from beneath it, passes as it is", async () => {
  const refuse: Layer = () => () => Promise.reject(new MeshError("overloaded", "not now"));
  await using refusing = meshWith({ layers: [{ at: "request", layer: refuse }] });
  expect(await call(refusing)).toMatchObject({ code: "overloaded", message: expect.stringContaining("not now") });
  const pass: Layer = (next) => async (request) => await next(request);
  await using passing = meshWith({
    layers: [
      { at: "request", layer: pass },
      { at: "attempt", layer: pass },
    ],
  });
  passing.endpoint(ONE).refuse();
  expect(await call(passing)).toMatchObject({ code: "connect_failed" });
  const reason = new Error("I leave");
  const controller = new AbortController();
  passing.endpoint(ONE).hang();
  const left = passing.request("http://reviews/", { signal: controller.signal }).catch((error: unknown) => error);
  await passing.advance("1ms");
  controller.abort(reason);
  expect(await left).toBe(reason);
});

test("a document takes layers by name, with settings as plain data, after those of the code and in its order", async () => {
  const order: string[] = [];
  const noting =
    (name: string): Layer =>
    (next) =>
    (request) => {
      order.push(name);
      return next(request);
    };
  const settings: unknown[] = [];
  const given: ExtensionOptions = {
    layers: [{ at: "request", layer: noting("code") }],
    namedLayers: {
      "tenant-header": (with_) => {
        settings.push(with_);
        const { header } = with_ as { header: string };
        return (next) => (request) => {
          order.push("tenant");
          const headers = copyHeaders(request.headers);
          headers[header] = "acme";
          return next(derive(request, { headers }));
        };
      },
      plain: (with_) => {
        settings.push(with_);
        return noting("plain");
      },
    },
  };
  const layers = [{ use: "plain" }, { use: "tenant-header", at: "attempt", with: { header: "x-tenant" } }];
  await using t = meshWith(given, { layers });
  await call(t);
  await call(t, "http://other/");
  expect(settings).toEqual([{}, { header: "x-tenant" }]);
  expect(order).toEqual(["code", "plain", "tenant", "code"]);
  expect(headerValue(t.endpoint(ONE).requests[0]?.headers ?? {}, "x-tenant")).toBe("acme");
});

test("an unknown name, and a factory that throws or makes no layer, are mistakes in the document: it is refused, and the last good one kept", async () => {
  const namedLayers = {
    "tenant-header": () => withHeader("x-tenant", "acme"),
    throwing: () => {
      throw new Error("needs a header");
    },
    nothing: (() => undefined) as never,
  };
  await using t = meshWith({ namedLayers });
  const updated = (layers: unknown) => () => t.update(document({ layers }));
  expect(updated([{ use: "tenant-heder" }])).toThrow(
    'the layer "tenant-heder" is not known: namedLayers has tenant-header, throwing, nothing; did you mean "tenant-header"?',
  );
  expect(updated([{ use: "throwing" }])).toThrow('the layer "throwing" could not be made: needs a header');
  expect(updated([{ use: "nothing" }])).toThrow("its factory gave no function");
  expect(updated([{ use: "tenant-header", at: "nowhere" }])).toThrow("expected one of request, attempt, inbound");
  expect(await call(t)).toMatchObject({ status: 200 });
  t.update(document({ layers: [{ use: "tenant-header" }] }));
  await call(t);
  expect(t.endpoint(ONE).requests.map(({ headers }) => headers["x-tenant"])).toEqual([undefined, "acme"]);
});

test("a named layer keeps its state through edits of other things, and starts anew with other settings", async () => {
  let made = 0;
  const namedLayers = {
    counting: () => {
      const own = ++made;
      return withHeader("x-made", String(own));
    },
  };
  const seen = (t: TestMesh) => t.endpoint(ONE).requests.map(({ headers }) => headers["x-made"]);
  await using t = meshWith({ namedLayers }, { layers: [{ use: "counting" }] });
  await call(t);
  t.update(document({ timeout: "1s", layers: [{ use: "counting" }] }));
  await call(t);
  t.update(document({ layers: [{ use: "counting", with: { other: true } }] }));
  await call(t);
  expect(seen(t)).toEqual(["1", "1", "2"]);
});

test("layers named at inbound guard the processes that join as the service, and follow the document", async () => {
  const namedLayers = { closed: () => (() => async () => localResponse(403, "no")) as Layer };
  await using t = testMesh({ config: document(), service: "reviews", namedLayers });
  expect(t.mesh.isGuarded).toBe(false);
  t.update(document({ layers: [{ use: "closed", at: "inbound" }] }));
  expect(t.mesh.isGuarded).toBe(true);
  // What goes out is not guarded by it.
  expect(await call(t)).toMatchObject({ status: 200 });
});

test("what could not be called is refused where the mesh is made", () => {
  expect(() => meshWith({ layers: [{ at: "outside" as never, layer: throwing }] })).toThrow(
    "layers: at must be one of request, attempt, inbound",
  );
  expect(() => meshWith({ namedLayers: { one: "no" as never } })).toThrow(
    "namedLayers: one must be a function (settings) => layer, not string",
  );
  expect(() => meshWith({ endpointFilters: { one: 1 as never } })).toThrow("endpointFilters: one must be a function");
  expect(() => meshWith({ balancers: { one: null as never } })).toThrow("balancers: one must be a function");
  expect(() => meshWith({ namedPolicies: { one: {} as never } })).toThrow("namedPolicies: one must have execute(run)");
});

test("what a layer at attempt waits for is not the endpoint's time", async () => {
  await using t = meshWith({ layers: [{ at: "attempt", layer: (next) => async (request) => await waited(t).then(() => next(request)) }] });
  const reply = await call(t);
  if (reply instanceof MeshError) throw reply;
  expect(t.mesh.report(reply)?.attempts).toMatchObject([{ outcome: "200", ms: 0 }]);
});

test("what a layer at request waits for is part of the total, to the millisecond", async () => {
  const layer: Layer = (next) => async (request) => await waited(t).then(() => next(request));
  await using t = meshWith({ layers: [{ at: "request", layer }] }, { timeout: "120ms" });
  t.endpoint(ONE).hang();
  t.endpoint(OTHER).hang();
  const failure = t.request("http://reviews/api").catch((error: unknown) => error as MeshError);
  await t.advance("119ms");
  expect(t.mesh.inspect().backends[0]?.inFlight).toBe(1);
  await t.advance("1ms");
  expect(t.mesh.inspect().backends[0]?.inFlight).toBe(0);
  expect(await failure).toMatchObject({ code: "deadline_exceeded" });
});

test("a try is told what is left once a fault and the layers at request have had their time", async () => {
  const layer: Layer = (next) => async (request) => await waited(t).then(() => next(request));
  const route = { fault: { delay: { percent: 100, duration: "30ms" } }, timeout: "1s", to: [{ service: "reviews" }] };
  await using t = meshWith({ layers: [{ at: "request", layer }] }, { routes: [route] });
  const seen: unknown[] = [];
  for (const endpoint of [ONE, OTHER]) {
    t.endpoint(endpoint).respond(({ headers }) => {
      seen.push(headers["x-envoy-expected-rq-timeout-ms"]);
      return { status: 200 };
    });
  }
  await call(t);
  expect(seen).toEqual(["920"]);
});

function waited(t: TestMesh): Promise<void> {
  return new Promise((resolve) => t.clock.setTimer(50, resolve));
}
