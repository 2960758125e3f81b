import { createRequire } from "node:module";
import { trace } from "@opentelemetry/api";
import { afterEach, describe, expect, test } from "vitest";
import {
  answering,
  failing,
  inboundOf,
  type RequestFacts,
  requestWith,
  scopeWith,
  settableClock,
  tried,
} from "../../../../test/telemetry/fake-exchange.ts";
import { registerSdk, unregisterSdk } from "../../../../test/telemetry/otel-sdk.ts";
import { MeshError } from "../errors.ts";
import type { MeshRequest } from "../message.ts";
import { type AccessLogOptions, accessLog } from "./access-log.ts";
import { MAX_TEXT_CHARS } from "./access-log-line.ts";

afterEach(unregisterSdk);

function fixture(options: AccessLogOptions = {}) {
  const clock = settableClock();
  const lines: Record<string, unknown>[] = [];
  const warnings: string[] = [];
  const log = accessLog(
    { logger: { info: (line) => lines.push(line as Record<string, unknown>) }, ...options },
    { clock, warn: (message) => warnings.push(message) },
  );
  if (!log) throw new Error("no log");
  return { clock, lines, warnings, log };
}

function outbound(facts: RequestFacts = {}): MeshRequest {
  const request = requestWith(facts);
  Object.assign(request.context, { service: "reviews", route: "default", backend: "reviews/v1" });
  return request;
}

const ended = (status = 200, headers = {}) => {
  const { handler, body } = answering(status, headers);
  body.end(null);
  return handler;
};

test("a given logger is used without loading pino", () => {
  fixture();
  expect(Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes("/pino/"))).toEqual([]);
});

test("no log is made where none is wanted", () => {
  expect(accessLog(false, { clock: settableClock(), warn: () => {} })).toBeNull();
});

describe("the line", () => {
  test("of a call is written when the body has ended", async () => {
    const { clock, lines, log } = fixture();
    const { handler, body } = answering(200);
    const request = outbound({ path: "/api/7?token=secret", startedAt: 100, options: { tags: { lane: "pr-41" } } });
    tried(request, { endpoint: "127.0.0.1:9082", why: "503, tried again" });
    tried(request, { endpoint: "127.0.0.1:9081" });
    clock.nowMs = 112.5;
    await log.layer("outbound")(handler)(request);
    expect(lines).toEqual([]);
    clock.nowMs = 150.0004;
    body.end(null);
    expect(lines).toEqual([
      {
        direction: "outbound",
        method: "GET",
        authority: "reviews",
        path: "/api/7",
        status: 200,
        outcome: "200",
        duration_ms: 50,
        head_ms: 12.5,
        service: "reviews",
        route: "default",
        backend: "reviews/v1",
        endpoint: "127.0.0.1:9081",
        attempts: 2,
        tags: { lane: "pr-41" },
      },
    ]);
  });

  test("of an inbound request says who called", async () => {
    const { lines, log } = fixture();
    const request = requestWith();
    request.context.peer = "10.0.0.7:51000";
    await log.layer("inbound")(ended())(request);
    expect(lines).toEqual([
      {
        direction: "inbound",
        method: "GET",
        authority: "reviews",
        path: "/api/7",
        status: 200,
        outcome: "200",
        duration_ms: 0,
        head_ms: 0,
        peer: "10.0.0.7:51000",
      },
    ]);
  });

  test("of an inbound request says which identity called, and what decided", async () => {
    const { lines, log } = fixture();
    const request = requestWith({ path: "/api/7?token=secret" });
    request.context.inbound = inboundOf("spiffe://shop.example/web");
    request.context.authorization = {
      rule: "web-reads",
      reason: "allowed_by_rule",
      audited: ["seen"],
      shadow: { allowed: false, rule: "tighter" },
    };
    await log.layer("inbound")(ended())(request);
    expect(lines).toMatchObject([
      {
        peer_id: "spiffe://shop.example/web",
        authorization: "web-reads",
        audited: ["seen"],
        shadow: { allowed: false, rule: "tighter" },
      },
    ]);
  });

  test("of a request that no rule decided has the reason, and nothing of rules that did not match", async () => {
    const { lines, log } = fixture();
    const request = requestWith({ path: "/api/7?token=secret" });
    request.context.authorization = { rule: null, reason: "not_allowed", audited: [], shadow: null };
    const refused = new MeshError("permission_denied", "serving GET reviews/api/7?token=secret: no allow rule matches");
    await expect(log.layer("inbound")(failing(refused))(request)).rejects.toBe(refused);
    expect(lines).toMatchObject([{ authorization: "not_allowed", why: "serving GET reviews/api/7: no allow rule matches" }]);
    for (const field of ["peer_id", "audited", "shadow"]) expect(lines[0]).not.toHaveProperty(field);
  });

  test("of a refused request has the code and the mesh's reason", async () => {
    const { lines, log } = fixture();
    const refused = new MeshError("breaker_open", "GET http://reviews/api/7: the breaker of reviews is open");
    await expect(log.layer("outbound")(failing(refused))(outbound())).rejects.toBe(refused);
    expect(lines).toMatchObject([{ outcome: "breaker_open", attempts: 0, why: refused.message }]);
    expect(lines[0]).not.toHaveProperty("status");
    expect(lines[0]).not.toHaveProperty("head_ms");
  });

  test("of a body that broke has its status, and the failure as its outcome", async () => {
    const { lines, log } = fixture();
    const { handler, body } = answering(200);
    await log.layer("outbound")(handler)(outbound());
    body.fail(new MeshError("deadline_exceeded", "too late"));
    expect(lines).toMatchObject([{ status: 200, outcome: "deadline_exceeded", why: "too late" }]);
  });

  test("of a cancelled request does not repeat the caller's reason, which may hold anything", async () => {
    const { lines, log } = fixture();
    const request = outbound();
    const reason = new Error("user 4711 pressed stop");
    request.cancel.cancel(reason);
    await expect(log.layer("outbound")(failing(reason))(request)).rejects.toBe(reason);
    expect(lines).toMatchObject([{ outcome: "cancelled" }]);
    expect(JSON.stringify(lines)).not.toContain("4711");
  });

  test("has the tags of the inbound request and of the call, the call's winning", async () => {
    const { lines, log } = fixture();
    const scope = { ...scopeWith(null), tags: { lane: "main", user: "u1" } };
    await log.layer("outbound")(ended())(outbound({ scope, options: { tags: { lane: "pr-41" } } }));
    expect(lines[0]?.tags).toEqual({ lane: "pr-41", user: "u1" });
  });

  test("cuts what is long", async () => {
    const { lines, log } = fixture({ requestHeaders: ["x-long"] });
    const long = "x".repeat(10 * MAX_TEXT_CHARS);
    await log.layer("outbound")(ended())(outbound({ path: `/${long}`, headers: { "x-long": [long, "short"] } }));
    expect(String(lines[0]?.path)).toHaveLength(MAX_TEXT_CHARS + 1);
    expect(JSON.stringify(lines[0]).length).toBeLessThan(3 * MAX_TEXT_CHARS);
  });
});

describe("trace_id", () => {
  const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";

  test("is that of the received trace context where there is no SDK", async () => {
    const { lines, log } = fixture();
    await log.layer("outbound")(ended())(outbound({ scope: scopeWith(`00-${TRACE_ID}-00f067aa0ba902b7-01`) }));
    expect(lines[0]?.trace_id).toBe(TRACE_ID);
  });

  test("is that of the span made for the request, else of the one that was active", async () => {
    const { lines, log } = fixture();
    registerSdk();
    const request = outbound();
    request.context.traceId = TRACE_ID;
    const active = await trace.getTracer("app").startActiveSpan("work", async (span) => {
      await log.layer("outbound")(ended())(request);
      await log
        .layer("outbound")(failing(new MeshError("no_endpoint", "none")))(outbound())
        .catch(() => {});
      return span.spanContext().traceId;
    });
    expect(lines.map((line) => line.trace_id)).toEqual([TRACE_ID, active]);
  });
});

describe("what must not be kept", () => {
  const credentials = { authorization: "Bearer secret", cookie: "sid=secret", "proxy-authorization": "Basic secret" };

  test("is in no line by default", async () => {
    const { lines, log } = fixture();
    const request = outbound({ path: "/api/7?token=secret", headers: { ...credentials, "x-tenant": "secret" } });
    await log.layer("inbound")(ended(200, { "set-cookie": ["sid=secret"] }))(request);
    expect(JSON.stringify(lines)).not.toContain("secret");
  });

  test("is not quoted by a reason either", async () => {
    const { lines, log } = fixture();
    const failure = new MeshError("no_route", "GET http://reviews/api/7?token=secret: no route matches");
    await log
      .layer("outbound")(failing(failure))(outbound({ path: "/api/7?token=secret" }))
      .catch(() => {});
    expect(lines[0]?.why).toBe("GET http://reviews/api/7: no route matches");
  });

  test("is redacted where a log asks for it; other headers are written as they are", async () => {
    const { lines, log } = fixture({
      requestHeaders: ["Authorization", "Cookie", "proxy-authorization", "X-Tenant", "x-absent"],
      responseHeaders: ["Set-Cookie", "content-type"],
    });
    const request = outbound({ headers: { ...credentials, "x-tenant": "t1" } });
    await log.layer("inbound")(ended(200, { "set-cookie": ["sid=secret"], "content-type": "text/plain" }))(request);
    expect(lines[0]?.request_headers).toEqual({
      authorization: "[redacted]",
      cookie: "[redacted]",
      "proxy-authorization": "[redacted]",
      "x-tenant": "t1",
    });
    expect(lines[0]?.response_headers).toEqual({ "set-cookie": "[redacted]", "content-type": "text/plain" });
  });

  test("the query is written where a log asks for it", async () => {
    const { lines, log } = fixture({ includeQuery: true });
    await log.layer("outbound")(ended())(outbound({ path: "/api/7?q=1" }));
    expect(lines[0]?.path).toBe("/api/7?q=1");
  });
});

test("only the fields asked for are written", async () => {
  const { lines, log } = fixture({ fields: ["outcome", "method", "tags"] });
  await log.layer("outbound")(ended())(outbound());
  expect(lines).toEqual([{ method: "GET", outcome: "200" }]);
});

test("a field that does not exist is refused when the log is made", () => {
  expect(() => fixture({ fields: ["methd" as "method"] })).toThrow(
    /accessLog\.fields: "methd" is not a field; there are: direction, method/,
  );
});

test("an option that does not exist is refused when the log is made", () => {
  expect(() => fixture({ feilds: ["method"] } as AccessLogOptions)).toThrow(
    new TypeError('accessLog: there is no option "feilds"; did you mean "fields"?'),
  );
});

test("a logger that throws harms no request and is reported once", async () => {
  const logger = {
    info() {
      throw new Error("disk full");
    },
  };
  const { warnings, log } = fixture({ logger });
  for (let n = 0; n < 3; n++) expect((await log.layer("outbound")(ended())(outbound())).status).toBe(200);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain("disk full");
});
