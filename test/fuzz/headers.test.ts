import { createRequire } from "node:module";
import type { HeaderMap } from "@heddle/core";
import { requestOf } from "@heddle/testing";
import fc from "fast-check";
import { expect } from "vitest";
import { editHeaders } from "../../packages/core/src/routing/header-operations.ts";
import { Exchange } from "../../packages/http/src/exchange.ts";
import { type HeadersInput, headerMap } from "../../packages/http/src/header-map.ts";
import { wireHeaders } from "../../packages/http/src/wire-headers.ts";
import { expectSame, fuzz } from "./fuzz.ts";
import { HOSTILE_NAMES, hostileText, OWN_ERROR, oddValues } from "./hostile.ts";

const OF_THE_CONNECTION = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

const token = fc.oneof(
  fc.constantFrom("x-a", "X-A", "x-b", "accept", "cookie", "host", "Connection", "set-cookie", "content-length"),
  fc.constantFrom(...HOSTILE_NAMES),
  fc.constantFrom(...OF_THE_CONNECTION),
);
const name = fc.oneof({ weight: 4, arbitrary: token }, { weight: 1, arbitrary: hostileText(2) });
const value = fc.oneof(hostileText(2), fc.array(hostileText(1), { maxLength: 3 }), fc.constant(undefined));
const entries = fc.array(fc.tuple(name, value), { maxLength: 5 });
type Entry = readonly [string, string | string[] | undefined];

/** What any shape of these fields must be read as: every value in order under its name in lower case. */
function model(fields: readonly Entry[]): ReadonlyMap<string, readonly string[]> {
  const map = new Map<string, readonly string[]>();
  for (const [field, held] of fields) {
    const key = field.toLowerCase();
    if (held === undefined || OF_THE_CONNECTION.includes(key)) continue;
    map.set(key, [...(map.get(key) ?? []), ...(typeof held === "string" ? [held] : held)]);
  }
  return map;
}

function listed(map: HeaderMap): ReadonlyMap<string, readonly string[]> {
  return new Map(Object.entries(map).map(([key, held]) => [key, held === undefined ? [] : typeof held === "string" ? [held] : held]));
}

const SHAPES: readonly ((fields: readonly Entry[]) => {
  readonly input: HeadersInput | readonly unknown[];
  readonly fields: readonly Entry[];
})[] = [
  (fields) => ({ input: fields.map((field) => [...field] as const), fields }),
  (fields) => ({ input: fields.flat(), fields }),
  (fields) => ({
    input: fields.flatMap(([key, held]) => [Buffer.from(key, "utf8").toString("latin1"), held]),
    fields: fields.map(([key, held]) => [Buffer.from(key, "utf8").toString("latin1"), held]),
  }),
  (fields) => ({ input: new Map(fields), fields: [...new Map(fields)] }),
  (fields) => ({
    input: (function* () {
      yield* fields;
    })(),
    fields,
  }),
  (fields) => {
    const input: Record<string, string | string[] | undefined> = Object.create(null);
    for (const [key, held] of fields) input[key] = held;
    return { input, fields: Object.entries(input) };
  },
  (fields) => {
    const input = Object.fromEntries(fields);
    return { input, fields: Object.entries(input) };
  },
];

fuzz("reads the same fields from whatever shape they are given in", fc.tuple(entries, fc.nat(SHAPES.length - 1)), ([given, shape]) => {
  const { input, fields } = (SHAPES[shape] as (typeof SHAPES)[number])(given);
  const map = headerMap(input);
  expectSame(listed(map), model(fields));
  expect("toString" in map, "nothing is inherited").toBe(false);
});

const legal = fc.stringMatching(/^[!-~]([ -~]{0,6}[!-~])?$/);

fuzz(
  "reads Headers as they are",
  fc.array(
    fc.tuple(
      fc.oneof(fc.constantFrom(...HOSTILE_NAMES, "x-a", "set-cookie"), fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,6}$/)),
      legal,
    ),
    { maxLength: 4 },
  ),
  (fields) => {
    const headers = new Headers(fields);
    const expected = new Map<string, string>();
    for (const [key, held] of headers)
      if (!OF_THE_CONNECTION.includes(key)) expected.set(key, [expected.get(key), held].filter((each) => each !== undefined).join("\n"));
    const found = new Map([...listed(headerMap(headers))].map(([key, held]) => [key, held.join("\n")]));
    expectSame(found, expected);
  },
);

fuzz(
  "refuses what are no headers with a TypeError, and takes odd values as text",
  fc.tuple(fc.oneof(oddValues, fc.dictionary(token, oddValues), fc.array(oddValues, { maxLength: 3 })), fc.constantFrom("whole")),
  ([odd]) => {
    try {
      for (const held of Object.values(headerMap(odd as HeadersInput)))
        expect(typeof held === "string" || (Array.isArray(held) && held.every((each) => typeof each === "string"))).toBe(true);
    } catch (error) {
      if (error !== OWN_ERROR && !(error instanceof TypeError)) throw error;
    }
  },
);

fuzz(
  "the wire is given every field once, and the authority as host",
  fc.tuple(entries, fc.constantFrom("reviews", "reviews:80", "other"), fc.boolean()),
  ([given, authority, asksForUpgrade]) => {
    const headers = headerMap(given);
    if (asksForUpgrade) headers.upgrade = "websocket";
    const wire = wireHeaders(requestOf({ headers, authority }), "reviews");
    const expected = new Map([...listed(headers)].filter(([key]) => key !== "host" && key !== "upgrade"));
    if (!Array.isArray(wire)) {
      expectSame(authority, "reviews");
      expectSame(listed(wire), expected);
      return;
    }
    const pairs = Array.from({ length: wire.length / 2 }, (_, index) => [wire[index * 2], wire[index * 2 + 1]] as const);
    expectSame(pairs[0], ["host", authority]);
    expect(new Map(pairs.slice(1).map(([key, held]) => [key, typeof held === "string" ? [held] : held]))).toEqual(expected);
  },
);

const edit = fc.record({
  set: fc.dictionary(token, legal, { maxKeys: 3 }),
  add: fc.dictionary(token, legal, { maxKeys: 3 }),
  remove: fc.array(token, { maxLength: 3 }),
});

fuzz("sets, then adds, then removes headers, and leaves the rest and the given map alone", fc.tuple(entries, edit), ([given, changes]) => {
  const headers = headerMap(given);
  const before = listed(headers);
  const expected = new Map(before);
  for (const [key, held] of Object.entries(changes.set)) expected.set(key.toLowerCase(), [held]);
  for (const [key, held] of Object.entries(changes.add))
    expected.set(key.toLowerCase(), [...(expected.get(key.toLowerCase()) ?? []), held]);
  for (const key of changes.remove) expected.delete(key.toLowerCase());
  expectSame(listed(editHeaders(headers, changes)), expected);
  expectSame(listed(headers), before);
});

/** What stands between the bytes of an answer and the mesh; not exported by the package. */
const { parseHeaders } = createRequire(import.meta.url)("../../node_modules/undici/lib/core/util.js") as {
  parseHeaders(raw: readonly Buffer[]): HeaderMap;
};

fuzz(
  "an answer has every field that was received, and none that was not",
  fc.array(fc.tuple(token, fc.oneof(legal, fc.stringMatching(/^[\x80-\xff]{1,3}$/))), { maxLength: 6 }),
  (fields) => {
    const raw = fields.flatMap(([key, held]) => [Buffer.from(key, "latin1"), Buffer.from(held, "latin1")]);
    let received: HeaderMap = {};
    const exchange = new Exchange(
      requestOf(),
      (response) => {
        received = response.headers;
      },
      () => undefined,
    );
    const controller = {
      abort: () => undefined,
      pause: () => undefined,
      resume: () => undefined,
      aborted: false,
      paused: false,
      reason: null,
    };
    exchange.onRequestStart(controller as unknown as Parameters<Exchange["onRequestStart"]>[0]);
    exchange.onResponseStart(controller as unknown as Parameters<Exchange["onResponseStart"]>[0], 200, parseHeaders(raw));
    const expected = new Map<string, readonly string[]>();
    for (const [key, held] of fields) expected.set(key.toLowerCase(), [...(expected.get(key.toLowerCase()) ?? []), held]);
    expectSame(listed(received), expected);
    expectSame(listed(editHeaders(received, { set: {}, add: {}, remove: [] })), expected);
  },
);
