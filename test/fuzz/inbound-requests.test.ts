import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { createMesh, type Mesh } from "@heddle/core";
import { httpTransport, type Listener, listen } from "@heddle/http";
import fc from "fast-check";
import { afterAll, beforeAll, expect, vi } from "vitest";
import { fuzzAsync } from "./fuzz.ts";

// Bytes where a request should be, against a listener that authorises: the application sees what a rule allows, and nothing else.

/** What the application got, of which it trusts that somebody was allowed to ask for it. */
interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly host: string | undefined;
  readonly teams: readonly string[];
}

const seen: Seen[] = [];
const fates: Record<string, number> = {};
let mesh: Mesh;
let listener: Listener;

const AUTHORIZE = [
  { name: "closed", action: "deny", to: [{ paths: ["/open/secret", "/open/secret/*"] }] },
  {
    name: "team",
    to: [{ hosts: ["reviews"], methods: ["GET", "POST"], paths: ["/open", "/open/*"] }],
    when: [{ key: "request.headers[x-team]", values: ["blue"] }],
  },
];

function record({ method, url, headers, rawHeaders }: IncomingMessage): void {
  const teams = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === "x-team");
  seen.push({ method, url, host: headers.host, teams });
}

beforeAll(async () => {
  const config = { apiVersion: "heddle/v1", services: { reviews: { inbound: { authorize: AUTHORIZE } } } };
  mesh = createMesh({ service: "reviews", config, transport: httpTransport(), onProblem: () => {} });
  await mesh.ready();
  listener = await listen(
    mesh,
    (request, response) => {
      record(request as IncomingMessage);
      request.resume();
      request.on("error", () => {});
      request.on("end", () => response.end("seen"));
    },
    { host: "127.0.0.1" },
  );
  for (const event of ["upgrade", "connect"]) {
    listener.server.on(event, (request: IncomingMessage, socket: Duplex) => {
      record(request);
      socket.on("error", () => {});
      socket.end("HTTP/1.1 204 No Content\r\n\r\n");
    });
  }
});

afterAll(async () => {
  // Nothing was tried without all of them.
  for (const status of ["200", "400", "403"]) expect(fates[status], JSON.stringify(fates)).toBeGreaterThan(20);
  expect(await answersTo(good("/open"))).toContain("seen");
  await vi.waitFor(() => expect(mesh.inspect().inbound.inFlight).toBe(0), 10_000);
  await mesh.close({ limit: 0 });
});

function good(path: string): string {
  return `GET ${path} HTTP/1.1\r\nhost: reviews\r\nx-team: blue\r\n\r\n`;
}

/** What is answered to these bytes, sent in pieces, until the server closes. Once something was answered, or nothing for a moment, the caller ends its side. */
function answersTo(text: string, cuts: readonly number[] = []): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(listener.port, "127.0.0.1");
    let received = "";
    const end = () => void socket.end();
    const quiet = setTimeout(end, 20);
    const late = setTimeout(() => reject(new Error("the connection hangs")), 15_000);
    socket.setNoDelay();
    socket.setEncoding("latin1");
    socket.on("error", () => {});
    socket.on("data", (bytes: string) => {
      received += bytes;
      setImmediate(end);
    });
    socket.on("close", () => {
      clearTimeout(quiet);
      clearTimeout(late);
      resolve(received);
    });
    let from = 0;
    for (const cut of [...cuts.map((share) => Math.floor((share / 1_000) * text.length)).sort((a, b) => a - b), text.length]) {
      socket.write(text.slice(from, cut), "latin1");
      from = cut;
    }
  });
}

/** Mostly as it should be: one thing that is wrong ends a request, and what is behind it is seen by none. */
function mostly<Value>(right: fc.Arbitrary<Value>, other: fc.Arbitrary<Value>): fc.Arbitrary<Value> {
  return fc.oneof({ weight: 8, arbitrary: right }, { weight: 1, arbitrary: other });
}

const method = mostly(fc.constantFrom("GET", "POST"), fc.constantFrom("HEAD", "CONNECT", "OPTIONS", "get", "PRI", ""));
const target = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("/open", "/open", "/open/a?b", "/open/", "/open/secret", "/admin", "*", "reviews:80") },
  {
    weight: 2,
    arbitrary: fc
      .array(
        fc.constantFrom(
          ...["/open", "/secret", "/admin", "/..", "/.", "//", "%2e", "%2F", "%5c", "\\", "%00", "#", "?", ";", "/open/../", "%6fpen"],
          ...["http://reviews", "http://other", "http://reviews@other", " ", "\t", "\u00ff", "@", ":"],
        ),
        { minLength: 1, maxLength: 5 },
      )
      .map((parts) => parts.join("")),
  },
);
const version = mostly(fc.constant("HTTP/1.1"), fc.constantFrom("HTTP/1.0", "HTTP/2.0", "http/1.1", ""));
const field = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom("Host: reviews", "host: REVIEWS:80", "x-team: blue", "X-Team: blue", "content-length: 5", "x: y"),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...["Host: other", "x-team: red", "x-team: blue, red", "x-team:", "x_team: blue", "x-team : blue", " x-team: blue", "x-team\0: blue"],
      ...["Transfer-Encoding: chunked", "Transfer-Encoding: chunked, identity", "transfer-encoding:\u000bchunked", "content-length: 0"],
      ...["connection: upgrade\r\nupgrade: websocket", "connection: x-team", "connection: close", "expect: 100-continue", "upgrade: h2c"],
      ...["x: y\r\n folded", "x: y\nx-team: blue", "x: y\rx-team: blue", "x-forwarded-host: reviews", "x-original-url: /open"],
    ),
  },
);
const allowed = fc.constant(["Host: reviews", "x-team: blue"]);
const fields = fc.oneof(
  { weight: 3, arbitrary: allowed },
  { weight: 1, arbitrary: fc.array(field, { maxLength: 6 }) },
  { weight: 2, arbitrary: fc.tuple(allowed, field).map(([all, one]) => [...all, one]) },
);
const body = fc.oneof(
  { weight: 8, arbitrary: fc.constant("") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("hello", "5\r\nhello\r\n0\r\n\r\n", "0\r\n\r\n", `0\r\n\r\n${good("/admin")}`, good("/open/secret")),
  },
);
const request = fc
  .tuple(method, target, version, fields, body)
  .map(([verb, path, protocol, lines, rest]) => `${[`${verb} ${path} ${protocol}`, ...lines].join("\r\n")}\r\n\r\n${rest}`);

/** Something done to the bytes, at a place that is a share of them. */
const damage = fc.record({
  at: fc.nat(999),
  remove: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(4) }),
  insert: fc.oneof(
    fc.constantFrom("\r\n", "\n", "\r", "\0", " ", ":", "\t", "\r\n\r\n", "\u0080", "\u0016\u0003\u0001", "0", "HTTP/1.1", "GET /open"),
    fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
  ),
});
const stream = fc.record({
  requests: fc.array(request, { minLength: 1, maxLength: 3 }),
  damages: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(damage, { maxLength: 3 }) }),
  cuts: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(fc.nat(999), { maxLength: 3 }) }),
});

function damaged(
  requests: readonly string[],
  damages: readonly { readonly at: number; readonly remove: number; readonly insert: string }[],
) {
  let text = requests.join("");
  for (const { at, remove, insert } of damages) {
    const place = Math.floor((at / 1_000) * text.length);
    text = text.slice(0, place) + insert + text.slice(place + remove);
  }
  return text;
}

/** Why nobody was allowed to ask for it; by the URL standard and the headers as they are shown, not by anything of ours. */
function wrongOf({ method: verb, url, host, teams }: Seen): string | null {
  const { pathname, hostname } = new URL(url ?? "", `http://${host}`);
  const isBelow = (prefix: string) => pathname === prefix || pathname.startsWith(`${prefix}/`);
  if (verb !== "GET" && verb !== "POST") return "the method";
  if (hostname !== "reviews" || new URL(`http://${host}`).hostname !== "reviews") return "the host";
  if (!isBelow("/open") || isBelow("/open/secret")) return "the path";
  return teams.length > 0 && teams.every((team) => team === "blue") ? null : "the team";
}

fuzzAsync(
  "whatever bytes come, the application sees what a rule allows alone, and the connection ends",
  fc.array(stream, { minLength: 1, maxLength: 8 }),
  async (streams) => {
    seen.length = 0;
    const answers = await Promise.all(streams.map(({ requests, damages, cuts }) => answersTo(damaged(requests, damages), cuts)));
    for (const one of seen) {
      const wrong = wrongOf(one);
      if (wrong !== null) throw new Error(`the application was asked for ${JSON.stringify(one)}: ${wrong} is not allowed`);
    }
    const statuses = answers.flatMap((answer) => [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((found) => found[1] ?? ""));
    for (const status of statuses) fates[status] = (fates[status] ?? 0) + 1;
    if (statuses.filter((status) => status === "200").length > seen.length) throw new Error("it was answered without having been asked");
    if (statuses.includes("500")) throw new Error("something threw");
  },
  { share: 0.03 },
);
