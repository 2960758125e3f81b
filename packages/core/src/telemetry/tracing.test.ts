import { context, propagation, SpanKind, SpanStatusCode, type TextMapPropagator, trace } from "@opentelemetry/api";
import { AlwaysOffSampler } from "@opentelemetry/sdk-trace-node";
import { afterEach, describe, expect, test } from "vitest";
import { answering, failing, inboundOf, requestWith, scopeWith, tried } from "../../../../test/telemetry/fake-exchange.ts";
import { registerSdk, unregisterSdk } from "../../../../test/telemetry/otel-sdk.ts";
import { MeshError } from "../errors.ts";
import type { Handler } from "../layer.ts";
import type { MeshRequest } from "../message.ts";
import { TransportFailure } from "../transport.ts";
import { clientSpan, serverSpan } from "./tracing.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT_ID = "00f067aa0ba902b7";
const RECEIVED = `00-${TRACE_ID}-${PARENT_ID}-01`;
const headersWith = (fields: MeshRequest["headers"]): MeshRequest["headers"] => Object.assign(Object.create(null), fields);

afterEach(unregisterSdk);

function layers() {
  const warnings: string[] = [];
  const deps = { warn: (message: string) => warnings.push(message) };
  return { client: clientSpan(deps), server: serverSpan(deps), warnings };
}

function attempted(facts: Parameters<typeof requestWith>[0] = {}, number = 1, endpoint = "127.0.0.1:9081"): MeshRequest {
  const request = requestWith(facts);
  request.context.service = "reviews";
  return { ...request, attempt: tried(request, { number, endpoint }) };
}

describe("without an SDK", () => {
  test("a call made in no inbound request is passed on as the very same object", async () => {
    const { client } = layers();
    const { handler, sent } = answering();
    const request = attempted();
    await client(handler)(request);
    expect(sent[0]).toBe(request);
  });

  test("the trace context of the inbound request is carried on unchanged", async () => {
    const { client } = layers();
    const { handler, sent } = answering();
    const request = attempted({ scope: scopeWith(RECEIVED, "rojo=1,congo=2") });
    await client(handler)(request);
    expect(sent[0]?.headers).toMatchObject({ accept: "*/*", traceparent: RECEIVED, tracestate: "rojo=1,congo=2" });
    expect(request.headers.traceparent).toBeUndefined();
  });

  test("a traceparent that the caller set stays", async () => {
    const { client } = layers();
    const { handler, sent } = answering();
    const request = attempted({ scope: scopeWith(RECEIVED), headers: headersWith({ traceparent: "mine" }) });
    await client(handler)(request);
    expect(sent[0]).toBe(request);
  });

  test("an inbound request is passed on as the very same object", async () => {
    const { server } = layers();
    const { handler, sent } = answering();
    const request = requestWith({ headers: headersWith({ traceparent: RECEIVED }) });
    await server(handler)(request);
    expect(sent[0]).toBe(request);
  });
});

describe("a CLIENT span", () => {
  test("says which service was called, and at which endpoint, and ends with the body", async () => {
    const { client } = layers();
    const { spans } = registerSdk();
    const { handler, body } = answering(200);
    const request = attempted({ authority: "reviews:8080", path: "/api/7?q=1&sig=secret" }, 1, "");
    const picksLater: Handler = (inner) => {
      if (inner.attempt) inner.attempt.endpoint = "127.0.0.1:9081";
      return handler(inner);
    };
    await client(picksLater)(request);
    expect(spans()).toEqual([]);
    body.end(null);
    const [span] = spans();
    expect(span?.name).toBe("GET");
    expect(span?.kind).toBe(SpanKind.CLIENT);
    expect(span?.status.code).toBe(SpanStatusCode.UNSET);
    expect(span?.attributes).toEqual({
      "http.request.method": "GET",
      "server.address": "reviews",
      "server.port": 8080,
      "url.full": "http://reviews:8080/api/7?q=1&sig=REDACTED",
      "network.peer.address": "127.0.0.1",
      "network.peer.port": 9081,
      "http.response.status_code": 200,
    });
  });

  test("is made for each attempt, and counts the resends", async () => {
    const { client } = layers();
    const { spans } = registerSdk();
    for (const number of [1, 2, 3]) {
      const { handler, body } = answering(503);
      await client(handler)(attempted({}, number));
      body.end(null);
    }
    expect(spans().map((span) => span.attributes["http.request.resend_count"])).toEqual([undefined, 1, 2]);
  });

  test("is what the called service sees as its parent", async () => {
    const { client } = layers();
    const { spans } = registerSdk();
    const { handler, body, sent } = answering();
    const request = attempted({ headers: headersWith({ tracestate: "stale=1" }) });
    await client(handler)(request);
    body.end(null);
    const { traceId, spanId } = spans()[0]?.spanContext() ?? {};
    expect(sent[0]?.headers.traceparent).toBe(`00-${traceId}-${spanId}-01`);
    expect(sent[0]?.headers.tracestate).toBeUndefined();
    expect(request.context.traceId).toBe(traceId);
  });

  test("is a child of the active span, also where an inbound trace context is known", async () => {
    const { client } = layers();
    const { spans } = registerSdk();
    const { handler, body } = answering();
    body.end(null);
    await trace.getTracer("app").startActiveSpan("work", async (work) => {
      await client(handler)(attempted({ scope: scopeWith(RECEIVED) }));
      work.end();
    });
    const [call, work] = spans();
    expect(call?.parentSpanContext?.spanId).toBe(work?.spanContext().spanId);
  });

  test("continues the inbound trace where no span is active", async () => {
    const { client } = layers();
    const { spans } = registerSdk();
    const { handler, body, sent } = answering();
    body.end(null);
    await client(handler)(attempted({ scope: scopeWith(RECEIVED, "rojo=1") }));
    expect(spans()[0]?.parentSpanContext).toMatchObject({ traceId: TRACE_ID, spanId: PARENT_ID, isRemote: true });
    expect(sent[0]?.headers.tracestate).toBe("rojo=1");
  });

  test.each([404, 500])("is an error at status %d", async (status) => {
    const { client } = layers();
    const { spans } = registerSdk();
    const { handler, body } = answering(status);
    await client(handler)(attempted());
    body.end(null);
    expect(spans()[0]?.status.code).toBe(SpanStatusCode.ERROR);
    expect(spans()[0]?.attributes["error.type"]).toBe(String(status));
  });

  test("names what failed before the head, and lets it through", async () => {
    const { client } = layers();
    const { spans } = registerSdk();
    const failure = new TransportFailure("connect-failure", "refused");
    await expect(client(failing(failure))(attempted())).rejects.toBe(failure);
    expect(spans()[0]?.attributes).toMatchObject({ "error.type": "connect_failed", "network.peer.port": 9081 });
    expect(spans()[0]?.status).toEqual({ code: SpanStatusCode.ERROR, message: "refused" });
  });

  test("names what broke the body", async () => {
    const { client } = layers();
    const { spans } = registerSdk();
    const { handler, body } = answering(200);
    await client(handler)(attempted());
    body.fail(new MeshError("deadline_exceeded", "late"));
    expect(spans()[0]?.attributes).toMatchObject({ "error.type": "deadline_exceeded", "http.response.status_code": 200 });
  });

  test("does not exist in an unsampled trace, which is carried on as unsampled", async () => {
    const { client } = layers();
    const { spans } = registerSdk(new AlwaysOffSampler());
    const { handler, body, sent } = answering();
    body.end(null);
    await client(handler)(attempted());
    expect(spans()).toEqual([]);
    expect(sent[0]?.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  test("has a name and method of few values, whatever the caller sends", async () => {
    const { client } = layers();
    const { spans } = registerSdk();
    const { handler, body } = answering();
    body.end(null);
    await client(handler)(attempted({ method: "BREW" }));
    expect(spans()[0]?.name).toBe("HTTP");
    expect(spans()[0]?.attributes).toMatchObject({ "http.request.method": "_OTHER", "http.request.method_original": "BREW" });
  });

  test.each([
    ["[::1]:9081", { "network.peer.address": "::1", "network.peer.port": 9081 }],
    ["unix:/run/reviews.sock", { "network.peer.address": "/run/reviews.sock", "network.transport": "unix" }],
  ])("says at which endpoint: %s", async (endpoint, attributes) => {
    const { client } = layers();
    const { spans } = registerSdk();
    const { handler, body } = answering();
    body.end(null);
    await client(handler)(attempted({}, 1, endpoint));
    expect(spans()[0]?.attributes).toMatchObject(attributes);
  });
});

describe("the SDK", () => {
  const spansOf = async (client: ReturnType<typeof clientSpan>, spans: () => unknown[]) => {
    const { handler, body } = answering();
    body.end(null);
    await client(handler)(attempted());
    return spans().length;
  };

  test("is found whether it registers before the mesh joins, after, or again", async () => {
    const early = registerSdk();
    const { client } = layers();
    expect(await spansOf(client, early.spans)).toBe(1);
    unregisterSdk();
    expect(await spansOf(client, early.spans)).toBe(1);
    const late = registerSdk();
    expect(await spansOf(client, late.spans)).toBe(1);
    expect(early.spans()).toHaveLength(1);
  });

  test("may throw without harm to the request; it is said once", async () => {
    const { client, server, warnings } = layers();
    registerSdk({
      shouldSample() {
        throw new Error("sampler broken");
      },
      toString: () => "broken",
    });
    const { handler, body, sent } = answering();
    body.end(null);
    for (let n = 0; n < 3; n++) await client(handler)(attempted({ scope: scopeWith(RECEIVED) }));
    expect(sent[2]?.headers.traceparent).toBe(RECEIVED);
    expect((await server(handler)(requestWith())).status).toBe(200);
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain("sampler broken");
  });

  test("without propagators leaves the inbound trace context as it was received", async () => {
    const { client } = layers();
    registerSdk();
    propagation.disable();
    const { handler, body, sent } = answering();
    body.end(null);
    await client(handler)(attempted({ scope: scopeWith(RECEIVED) }));
    expect(sent[0]?.headers.traceparent).toBe(RECEIVED);
  });
});

describe("propagators", () => {
  const writing = (inject: TextMapPropagator["inject"]) => {
    propagation.disable();
    propagation.setGlobalPropagator({ inject, extract: (active) => active, fields: () => ["traceparent", "tracestate"] });
  };

  test("write into no headers but a try's own", async () => {
    const { client } = layers();
    registerSdk();
    const { handler, body, sent } = answering();
    body.end(null);
    const request = requestWith({ headers: Object.freeze(headersWith({ accept: "*/*" })) });
    await client(handler)(request);
    expect(sent[0]?.headers.traceparent).toMatch(/^00-/);
    expect(request.headers.traceparent).toBeUndefined();
  });

  test("that write a tracestate for one request leave that of the next to its own traceparent", async () => {
    const { client } = layers();
    registerSdk();
    let isFirst = true;
    writing((_context, carrier, setter) => {
      setter.set(carrier, "traceparent", RECEIVED);
      if (isFirst) setter.set(carrier, "tracestate", "rojo=1");
      isFirst = false;
    });
    const { handler, body, sent } = answering();
    body.end(null);
    for (let n = 0; n < 2; n++) await client(handler)(attempted({ headers: headersWith({ tracestate: "stale=1" }) }));
    expect(sent.map(({ headers }) => headers.tracestate)).toEqual(["rojo=1", undefined]);
  });

  test("that throw half way leave the trace context that the request came with", async () => {
    const { client, warnings } = layers();
    registerSdk();
    writing((_context, carrier, setter) => {
      setter.set(carrier, "traceparent", "00-11111111111111111111111111111111-2222222222222222-01");
      throw new Error("half way");
    });
    const { handler, body, sent } = answering();
    body.end(null);
    await client(handler)(attempted({ scope: scopeWith(RECEIVED) }));
    await client(handler)(attempted({ headers: headersWith({ traceparent: RECEIVED, tracestate: "rojo=1" }) }));
    expect(sent.map(({ headers }) => headers.traceparent)).toEqual([RECEIVED, RECEIVED]);
    expect(sent[1]?.headers.tracestate).toBe("rojo=1");
    expect(warnings).toHaveLength(1);
  });
});

describe("a SERVER span", () => {
  const inbound = (headers: MeshRequest["headers"] = {}) => {
    const request = requestWith({
      authority: "reviews:9081",
      path: "/api/7?q=1",
      headers: headersWith({ "user-agent": "curl", ...headers }),
    });
    request.context.peer = "10.0.0.7:51000";
    return request;
  };

  test("continues the caller's trace and ends with the body", async () => {
    const { server } = layers();
    const { spans } = registerSdk();
    const { handler, body } = answering(200);
    const request = inbound({ traceparent: RECEIVED });
    await server(handler)(request);
    expect(spans()).toEqual([]);
    body.end(null);
    const [span] = spans();
    expect(span?.kind).toBe(SpanKind.SERVER);
    expect(span?.parentSpanContext).toMatchObject({ traceId: TRACE_ID, spanId: PARENT_ID, isRemote: true });
    expect(request.context.traceId).toBe(TRACE_ID);
    expect(span?.attributes).toEqual({
      "http.request.method": "GET",
      "url.scheme": "http",
      "url.path": "/api/7",
      "url.query": "q=1",
      "server.address": "reviews",
      "server.port": 9081,
      "client.address": "10.0.0.7",
      "user_agent.original": "curl",
      "http.response.status_code": 200,
    });
  });

  test("begins a trace where the caller sent none, or two", async () => {
    const { server } = layers();
    const { spans } = registerSdk();
    const { handler, body } = answering();
    body.end(null);
    await server(handler)(inbound());
    await server(handler)(inbound({ traceparent: [RECEIVED, RECEIVED] }));
    expect(spans().map((span) => span.parentSpanContext)).toEqual([undefined, undefined]);
  });

  test("is the parent of spans and calls made in the application", async () => {
    const { server, client } = layers();
    const { spans } = registerSdk();
    const upstream = answering();
    upstream.body.end(null);
    const { handler, body } = answering();
    body.end(null);
    const app: Handler = async (request) => {
      await Promise.resolve();
      trace.getTracer("app").startSpan("query").end();
      await client(upstream.handler)(attempted({ scope: scopeWith(RECEIVED) }));
      return handler(request);
    };
    await server(app)(inbound({ traceparent: RECEIVED }));
    const [query, call, span] = spans();
    expect(query?.parentSpanContext?.spanId).toBe(span?.spanContext().spanId);
    expect(call?.parentSpanContext?.spanId).toBe(span?.spanContext().spanId);
  });

  test("is not made where an instrumentation has made one", async () => {
    const { server } = layers();
    const { spans } = registerSdk();
    const { handler, body } = answering();
    body.end(null);
    await trace.getTracer("instrumentation-http").startActiveSpan("GET", async (span) => {
      await server(handler)(inbound());
      span.end();
    });
    expect(spans().map((span) => span.instrumentationScope.name)).toEqual(["instrumentation-http"]);
  });

  test("is made where the active span is one that ended long ago", async () => {
    const { server } = layers();
    const { spans } = registerSdk();
    const { handler, body } = answering();
    body.end(null);
    const startup = trace.getTracer("app").startSpan("startup");
    startup.end();
    await context.with(trace.setSpan(context.active(), startup), () => server(handler)(inbound()));
    expect(spans().map((span) => [span.name, span.parentSpanContext])).toEqual([
      ["startup", undefined],
      ["GET", undefined],
    ]);
  });

  test("has the route in its name once it is known", async () => {
    const { server } = layers();
    const { spans } = registerSdk();
    const { handler, body } = answering();
    body.end(null);
    await server((request) => {
      request.context.route = "/api/:id";
      return handler(request);
    })(inbound());
    expect(spans()[0]?.name).toBe("GET /api/:id");
    expect(spans()[0]?.attributes["http.route"]).toBe("/api/:id");
  });

  test("is an error from status 500 on, and where the application failed", async () => {
    const { server } = layers();
    const { spans } = registerSdk();
    for (const status of [404, 500]) {
      const { handler, body } = answering(status);
      body.end(null);
      await server(handler)(inbound());
    }
    await server(failing(new Error("boom")))(inbound()).catch(() => {});
    expect(spans().map((span) => span.attributes["error.type"])).toEqual([undefined, "500", "failed"]);
    expect(spans().map((span) => span.status.code)).toEqual([SpanStatusCode.UNSET, SpanStatusCode.ERROR, SpanStatusCode.ERROR]);
  });

  test("says which identity called and which rule decided", async () => {
    const { server } = layers();
    const { spans } = registerSdk();
    const { handler, body } = answering();
    body.end(null);
    const request = inbound();
    request.context.inbound = inboundOf("spiffe://shop.example/web");
    request.context.authorization = { rule: "web-reads", reason: "allowed_by_rule", audited: [], shadow: null };
    await server(handler)(request);
    expect(spans()[0]?.attributes).toMatchObject({
      "heddle.peer_id": "spiffe://shop.example/web",
      "heddle.authorization": "web-reads",
      "http.response.status_code": 200,
    });
    expect(spans()[0]?.attributes).not.toHaveProperty("heddle.refused");
  });

  test("of a refused request has the answer's status and the reason, and is an error from status 500 on", async () => {
    const { server } = layers();
    const { spans } = registerSdk();
    const denied = inbound();
    denied.context.authorization = { rule: null, reason: "not_allowed", audited: [], shadow: null };
    await server(failing(new MeshError("permission_denied", "no allow rule matches")))(denied).catch(() => {});
    await server(failing(new MeshError("not_ready", "no source has spoken")))(inbound()).catch(() => {});
    const [refused, early] = spans();
    expect(refused?.attributes).toMatchObject({
      "http.response.status_code": 403,
      "heddle.authorization": "not_allowed",
      "heddle.refused": "permission_denied",
    });
    expect(refused?.attributes).not.toHaveProperty("error.type");
    expect(refused?.status.code).toBe(SpanStatusCode.UNSET);
    expect(early?.attributes).toMatchObject({ "http.response.status_code": 503, "error.type": "not_ready", "heddle.refused": "not_ready" });
    expect(early?.status.code).toBe(SpanStatusCode.ERROR);
  });
});
