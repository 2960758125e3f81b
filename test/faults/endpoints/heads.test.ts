import { type Fault, NOT_HTTP, survives } from "./fault.ts";
import { says } from "./setup.ts";

// Heads that are too large, or hold what no head may.

const END = "content-length: 2\r\nconnection: close\r\n\r\nok";

function head(name: string, fields: string, expected: Fault["expected"] = NOT_HTTP, more: Partial<Fault> = {}): Fault {
  return { name, script: says(`HTTP/1.1 200 OK\r\n${fields}${END}`), expected, ...more };
}

const OK = { status: 200, body: "ok" };

survives([
  head("one header of 15 KB", `x-a: ${"a".repeat(15_000)}\r\n`, { ...OK, headers: { "x-a": "a".repeat(15_000) } }),
  head("one header of 17 KB", `x-a: ${"a".repeat(17_000)}\r\n`),
  head("a header name of 17 KB", `${"x".repeat(17_000)}: a\r\n`),
  head("a header of 1 MB", `x-a: ${"a".repeat(1_000_000)}\r\n`),
  head("headers that are too large together", Array.from({ length: 40 }, (_, at) => `x-${at}: ${"a".repeat(500)}\r\n`).join("")),
  head("a thousand small headers", Array.from({ length: 1_000 }, (_, at) => `x${at}: 1\r\n`).join(""), { ...OK, headers: { x999: "1" } }),
  head("the same header three times", "x-a: 1\r\nx-a: 2\r\nx-a: 3\r\n", OK),
  head("a control byte in a value", "x-a: a\x01b\r\n"),
  head("a DEL in a value", "x-a: a\x7fb\r\n"),
  head("bytes over 127 in a value", "x-a: \xe4\xf6\xfc\r\n", OK),
  head("a value that is folded", "x-a: 1\r\n  2\r\n"),
  head("a header without a name", ": 1\r\n"),
  head("a header without a colon", "x-a\r\n"),
  head("a space before the colon", "x-a : 1\r\n"),
  head("a space in a name", "x a: 1\r\n"),
  head("a byte over 127 in a name", "x-\xe4: 1\r\n"),
  head("a control byte in a name", "x-\x01a: 1\r\n"),
  head("a header without a value", "x-a:\r\n", { ...OK, headers: { "x-a": "" } }),
  head("names that objects have", "__proto__: 1\r\nconstructor: 2\r\ntostring: 3\r\n", OK),
  { name: "a reason of 1 MB", script: says(`HTTP/1.1 200 ${"a".repeat(1_000_000)}\r\n${END}`), expected: OK, agent: NOT_HTTP },
  { name: "no reason", script: says(`HTTP/1.1 200\r\n${END}`), expected: OK },
  { name: "a status that nobody knows", script: says(`HTTP/1.1 299 Whatever\r\n${END}`), expected: { status: 299, body: "ok" } },
  // RFC 9110 15: to be taken for a 5xx.
  {
    name: "a status over 599",
    script: says(`HTTP/1.1 999 Whatever\r\n${END}`),
    expected: { status: 999, body: "ok", attempt: "999", isRetried: true },
  },
  { name: "status 0", script: says(`HTTP/1.1 000 Whatever\r\n${END}`), expected: NOT_HTTP, agent: { status: 0, body: "ok" } },
]);
