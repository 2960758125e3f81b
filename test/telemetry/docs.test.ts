import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MeshError } from "../../packages/core/src/errors.ts";
import { type AccessLogOptions, accessLog } from "../../packages/core/src/telemetry/access-log.ts";
import {
  ACCESS_LOG_FIELDS,
  type AccessLogField,
  type LoggedExchange,
  lineOf,
  MAX_TEXT_CHARS,
  REDACTED_HEADERS,
} from "../../packages/core/src/telemetry/access-log-line.ts";
import { MAX_TRACEPARENT_CHARS, MAX_TRACESTATE_CHARS, MAX_TRACESTATE_MEMBERS } from "../../packages/core/src/telemetry/propagation.ts";
import { MAX_WAITING_BYTES } from "../../packages/core/src/telemetry/stdout-logger.ts";
import { answering, callWith, inboundOf, requestWith, settableClock, tried } from "./fake-exchange.ts";

const page = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");
const accessLogPage = page("access-log.md");

interface Row {
  readonly name: string;
  readonly cells: readonly string[];
}

/** Rows of the table under a heading, by the code in their first cell. */
function table(markdown: string, heading: string): Row[] {
  const section = markdown.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  return [...section.matchAll(/^\| `([^`]+)` \|(.*)\|$/gm)].map(([, name = "", rest = ""]) => ({
    name,
    cells: rest.split("|").map((cell) => cell.trim()),
  }));
}

/** An exchange in which every field has something to say. */
function fullExchange(direction: "outbound" | "inbound"): LoggedExchange {
  const request = callWith({ headers: { "x-tenant": "t1" }, options: { tags: { lane: "main" } } });
  Object.assign(request.context, { service: "reviews", route: "canary", backend: "reviews/v2", peer: "10.0.0.7:51000" });
  request.context.inbound = inboundOf("spiffe://shop.example/web");
  request.context.authorization = {
    rule: "web-reads",
    reason: "allowed_by_rule",
    audited: ["seen"],
    shadow: { allowed: false, rule: null },
  };
  if (direction === "outbound") tried(request);
  return {
    direction,
    request,
    response: { status: 200, headers: { "content-type": "text/plain" }, body: answering().body },
    failure: new MeshError("connection_reset", "broken"),
    outcome: "connection_reset",
    endedAt: 50,
    headAt: 10,
    activeTraceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  };
}

test("docs/access-log.md has a row for every field, in the order of the line, with its type", () => {
  const rows = table(accessLogPage, "Fields");
  expect(rows.map((row) => row.name)).toEqual(ACCESS_LOG_FIELDS);
  const settings = { fields: ACCESS_LOG_FIELDS, includeQuery: false, requestHeaders: ["x-tenant"], responseHeaders: ["content-type"] };
  const line = lineOf(fullExchange("outbound"), settings);
  expect(Object.keys(line)).toEqual(ACCESS_LOG_FIELDS);
  expect(rows.map((row) => [row.name, row.cells[0]])).toEqual(ACCESS_LOG_FIELDS.map((field) => [field, typeof line[field]]));
});

test("docs/access-log.md says on which side a field that only a call has is written", () => {
  const calls = table(accessLogPage, "Fields").filter((row) => row.cells[1] === "outbound");
  const inbound = fullExchange("inbound");
  Object.assign(inbound.request.context, { backend: "" });
  const line = lineOf(inbound, { fields: ACCESS_LOG_FIELDS, includeQuery: false, requestHeaders: [], responseHeaders: [] });
  for (const { name } of calls) expect(line).not.toHaveProperty(name);
});

test("docs/access-log.md has a row for every option, and names the limits and what is redacted", () => {
  const options: Record<keyof AccessLogOptions, true> = {
    logger: true,
    fields: true,
    includeQuery: true,
    requestHeaders: true,
    responseHeaders: true,
  };
  expect(table(accessLogPage, "Options").map((row) => row.name)).toEqual(Object.keys(options));
  for (const header of REDACTED_HEADERS) expect(accessLogPage).toContain(`\`${header}\``);
  expect(accessLogPage).toContain(`Cut at ${MAX_TEXT_CHARS} characters`);
  expect(accessLogPage).toContain(`At most ${MAX_WAITING_BYTES / 1024 / 1024} MiB wait`);
});

test("the line that docs/access-log.md shows is one that the log writes", async () => {
  const { level, time, ...shown } = JSON.parse(/^```json\n(.*)\n```$/m.exec(accessLogPage)?.[1] ?? "{}") as Record<string, unknown>;
  const clock = settableClock();
  const lines: object[] = [];
  const log = accessLog({ logger: { info: (line) => lines.push(line) } }, { clock, warn: () => {} });
  const request = requestWith();
  const { service, route, backend, trace_id: traceId } = shown;
  Object.assign(request.context, { service, route, backend, traceId });
  for (let n = 0; n < Number(shown.attempts); n++) tried(request, { endpoint: String(shown.endpoint) });
  const { handler, body } = answering(200);
  clock.nowMs = Number(shown.head_ms);
  await log?.layer("outbound")(handler)(request);
  clock.nowMs = Number(shown.duration_ms);
  body.end(null);
  expect(lines).toEqual([shown]);
  expect(Object.keys(lines[0] ?? {})).toEqual(Object.keys(shown) as AccessLogField[]);
  expect([level, time]).toEqual([30, expect.any(Number)]);
});

test("docs/tracing.md names the limits that are enforced", () => {
  const text = page("tracing.md").replace(/\s+/g, " ");
  expect(text).toContain(`up to ${MAX_TRACEPARENT_CHARS} characters`);
  expect(text).toContain(`more than ${MAX_TRACESTATE_MEMBERS} members`);
  expect(text).toContain(`over ${MAX_TRACESTATE_CHARS} characters`);
});
