import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { ISSUER, signingKey, tokenOf } from "../../packages/core/test/token-issuer.ts";
import { answerTo, guarded, statusOf } from "./guarded.ts";

// Requests as no client of a library writes them. Whatever becomes of them, the application sees no more than what was authorised.

interface Seen {
  readonly line: string;
  /** As much of it as came. */
  body: string;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly raw: readonly string[];
}

async function recording(inbound: object): Promise<{ readonly port: number; readonly seen: readonly Seen[] }> {
  const seen: Seen[] = [];
  const { listener } = await guarded(inbound, (request, response) => {
    const { method, url, headers, rawHeaders } = request as IncomingMessage;
    const one: Seen = { line: `${method} ${url}`, body: "", headers, raw: rawHeaders };
    seen.push(one);
    request.setEncoding("latin1");
    request.on("data", (text: string) => (one.body += text));
    request.on("error", () => {});
    request.on("end", () => response.end("seen"));
  });
  return { port: listener.port, seen };
}

const ADMIN = "GET /admin HTTP/1.1\r\nHost: reviews\r\nConnection: close\r\n\r\n";
const OPEN = ADMIN.replace("/admin", "/open");
const everybody = { name: "everybody", rules: [{}] };
const closed = { name: "closed", action: "deny", to: [{ paths: ["/admin", "/admin/*"] }] };

/** A POST whose end two readers would find at two places, with a request for /admin in what is its body to one of them. */
const SMUGGLING: Readonly<Record<string, readonly string[]>> = {
  "CL.TE": ["Content-Length: 6", "Transfer-Encoding: chunked", "", `0\r\n\r\n${ADMIN}`],
  "TE.CL": ["Transfer-Encoding: chunked", "Content-Length: 4", "", `5c\r\n${ADMIN}\r\n0\r\n\r\n`],
  "TE not chunked at last": ["Transfer-Encoding: chunked, identity", "", `0\r\n\r\n${ADMIN}`],
  "TE of two fields": ["Transfer-Encoding: chunked", "Transfer-Encoding: cow", "", `0\r\n\r\n${ADMIN}`],
  "TE with a vertical tab": ["Transfer-Encoding: \u000bchunked", "", `0\r\n\r\n${ADMIN}`],
  "TE with a blank before the colon": ["Transfer-Encoding : chunked", "", `0\r\n\r\n${ADMIN}`],
  "TE in quotes": ['Transfer-Encoding: "chunked"', "", `0\r\n\r\n${ADMIN}`],
  "TE folded": ["Transfer-Encoding:\r\n chunked", "", `0\r\n\r\n${ADMIN}`],
  "TE x-chunked": ["Transfer-Encoding: xchunked", "", `0\r\n\r\n${ADMIN}`],
  "TE after a bare CR": ["X: y\rTransfer-Encoding: chunked", "", `0\r\n\r\n${ADMIN}`],
  "TE after a bare LF": ["X: y\nTransfer-Encoding: chunked", "", `0\r\n\r\n${ADMIN}`],
  "two lengths": ["Content-Length: 0", `Content-Length: ${ADMIN.length}`, "", ADMIN],
  "two lengths in one": [`Content-Length: 0, ${ADMIN.length}`, "", ADMIN],
  "a length with a sign": ["Content-Length: +0", "", ADMIN],
  "a length in hex": ["Content-Length: 0x0", "", ADMIN],
  "a length with a blank": ["Content-Length: 0 5", "", ADMIN],
  "a negative length": ["Content-Length: -1", "", ADMIN],
  "a length too large": ["Content-Length: 18446744073709551616", "", ADMIN],
  "a folded field": ["X: y", ` Content-Length: ${ADMIN.length}`, "", ADMIN],
  "a chunk size too large": ["Transfer-Encoding: chunked", "", `10000000000000000\r\n${ADMIN}`],
  "a chunk size with a sign": ["Transfer-Encoding: chunked", "", `-0\r\n\r\n${ADMIN}`],
  "a chunk that ends in LF": ["Transfer-Encoding: chunked", "", `0\n\n${ADMIN}`],
  "a chunk extension with LF": ["Transfer-Encoding: chunked", "", `2;\nxx\r\nab\r\n0\r\n\r\n${ADMIN}`],
  "a chunk longer than its size": ["Transfer-Encoding: chunked", "", `1\r\nab\r\n0\r\n\r\n${ADMIN}`],
  "a trailer with a length": ["Transfer-Encoding: chunked", "", `0\r\nContent-Length: ${ADMIN.length}\r\n\r\n${ADMIN}`],
  "lines that end in LF": ["Content-Length: 0\n", ADMIN],
  "a name with a NUL": ["Content\0-Length: 5", "", ADMIN],
  "an empty name": [": x", "", ADMIN],
  "a line without a colon": ["Content-Length", "", ADMIN],
};

describe("a request whose end two readers would find at two places", () => {
  test.each(Object.entries(SMUGGLING))("gets no second request to the application: %s", async (_name, lines) => {
    const { port, seen } = await recording({ authorize: [everybody] });
    const answer = await answerTo(port, ["POST /open HTTP/1.1", "Host: reviews", ...lines].join("\r\n"));
    expect(answer).toMatch(/HTTP\/1\.1 400 /);
    expect(seen.filter(({ line }) => line !== "POST /open")).toEqual([]);
  });

  test("and what follows one that is well formed is decided by itself", async () => {
    const { port, seen } = await recording({ authorize: [closed, everybody] });
    const extended = "POST /open HTTP/1.1\r\nHost: reviews\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b;c\r\nhi\r\n0;x\r\n\r\n";
    const answer = await answerTo(port, extended + ADMIN);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 403"]);
    expect(seen.map(({ line, body }) => [line, body])).toEqual([["POST /open", "hi"]]);
  });

  test("a body that was refused unread is no next request", async () => {
    const { port, seen } = await recording({ authorize: [closed, everybody] });
    const answer = await answerTo(port, `POST /admin HTTP/1.1\r\nHost: reviews\r\nContent-Length: ${OPEN.length}\r\n\r\n${OPEN}${ADMIN}`);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 403", "HTTP/1.1 403"]);
    expect(seen).toEqual([]);
  });
});

describe("a request that says something twice", () => {
  const hosts = { name: "public", to: [{ hosts: ["public.example"] }] };

  test.each([
    ["first the one that is allowed", "Host: public.example\r\nHost: admin.example", 400],
    ["first another one", "Host: admin.example\r\nHost: public.example", 403],
    ["twice the same", "Host: public.example\r\nhost: public.example", 400],
    ["in one field", "Host: public.example, admin.example", 403],
    ["none", "X-Host: public.example", 400],
  ])("has one Host, or is refused: %s", async (_order, fields, status) => {
    const { port, seen } = await recording({ authorize: [hosts] });
    expect(statusOf(await answerTo(port, `GET /open HTTP/1.1\r\n${fields}\r\nConnection: close\r\n\r\n`))).toBe(status);
    expect(seen).toEqual([]);
  });

  /** Of each, some reader makes the host `admin.example`, by which a rule does not know it, or something that is no host. */
  const NO_HOSTS = [
    ...["u@admin.example", "admin.example/", "admin.example?x", "admin.example#x", "admin.example\\", "admin%2eexample", "admin%2Eexample"],
    ...["http://admin.example", "[admin.example]", "admin.example:80:80", "admin.example:x", "other admin.example", "\u00e4dmin.example"],
    ...["admin.example\t:80", "<admin.example>", '"admin.example"', "admin.example:-80", "[::1", "::1"],
  ];

  test.each(NO_HOSTS)("has a Host that is a host, or is refused: %j", { timeout: 10_000 }, async (host) => {
    const denied = { name: "admin", action: "deny", to: [{ hosts: ["admin.example"] }] };
    const { port, seen } = await recording({ authorize: [denied, everybody] });
    const upgrade = "Connection: upgrade, close\r\nUpgrade: websocket\r\n\r\n";
    const lines = ["Connection: close\r\n\r\n", upgrade].map((rest) => `GET /open HTTP/1.1\r\nHost: ${host}\r\n${rest}`);
    // In a target the host ends where the path begins.
    if (!host.includes("/")) lines.push(`GET http://${host}/open HTTP/1.1\r\nHost: reviews\r\nConnection: close\r\n\r\n`);
    // 403: of some it is plain that they are the one that is denied.
    for (const line of lines) expect([400, 403]).toContain(statusOf(await answerTo(port, line)));
    expect(seen).toEqual([]);
  });

  test.each([
    "reviews",
    "REVIEWS:8080",
    "reviews:",
    "reviews.",
    "a_b.example",
    "10.0.0.1:80",
    "[::1]:80",
    "[::ffff:10.0.0.1]",
    "xn--dmin-moa",
  ])("may have any Host that is one: %s", async (host) => {
    const { port, seen } = await recording({ authorize: [everybody] });
    expect(statusOf(await answerTo(port, `GET /open HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`))).toBe(200);
    expect(seen.map(({ headers }) => headers.host)).toEqual([host]);
  });

  test("shows the host that was authorised, where the target and Host differ", async () => {
    const { port, seen } = await recording({ authorize: [hosts] });
    const ask = (target: string, field: string) => answerTo(port, `GET ${target} HTTP/1.1\r\nHost: ${field}\r\nConnection: close\r\n\r\n`);
    expect(statusOf(await ask("http://admin.example/a", "public.example"))).toBe(403);
    expect(statusOf(await ask("http://public.example/b", "admin.example"))).toBe(200);
    expect(statusOf(await ask("http://public.example:80@admin.example/c", "public.example"))).not.toBe(200);
    expect(statusOf(await ask("http://public.example?@admin.example/d", "public.example"))).toBe(200);
    expect(seen.map(({ line, headers }) => [line, headers.host])).toEqual([
      ["GET http://public.example/b", "public.example"],
      ["GET http://public.example/?@admin.example/d", "public.example"],
    ]);
    expect(seen.flatMap(({ raw }) => raw)).not.toContain("admin.example");
  });

  test("Authorization twice is refused, whichever comes first", async () => {
    const [good, bad] = [signingKey(), signingKey("P-256", "k2")];
    const rule = { issuer: ISSUER, jwks: { inline: { keys: [good.jwk] } } };
    const { port, seen } = await recording({
      jwt: [rule],
      authorize: [{ name: "jane", from: [{ requestPrincipals: [`${ISSUER}/jane`] }] }],
    });
    const exp = Math.floor(Date.now() / 1_000) + 600;
    const bearers = {
      good: `Bearer ${tokenOf(good, { exp })}`,
      forged: `Bearer ${tokenOf(bad, { exp, sub: "root" })}`,
      none: "Basic amFuZTpq",
    };
    const ask = async (...fields: readonly (keyof typeof bearers)[]) => {
      const lines = fields.map((field) => `Authorization: ${bearers[field]}\r\n`).join("");
      return statusOf(await answerTo(port, `GET /open HTTP/1.1\r\nHost: reviews\r\n${lines}Connection: close\r\n\r\n`));
    };
    expect(await ask("good")).toBe(200);
    for (const fields of [["good", "forged"], ["forged", "good"], ["forged"], ["good", "none"], ["none", "good"], ["none"], []] as const) {
      expect([fields, await ask(...fields)]).toEqual([fields, fields.length > 1 ? 400 : 401]);
    }
    expect(seen).toHaveLength(1);
  });

  test("X-Forwarded-For twice is one list, of which the trusted proxies' end counts", async () => {
    const client = { name: "client", from: [{ remoteIpBlocks: ["10.9.9.9"] }] };
    const { port, seen } = await recording({ trustedHops: 1, authorize: [client] });
    const ask = async (...fields: readonly string[]) => {
      const lines = fields.map((field) => `X-Forwarded-For: ${field}\r\n`).join("");
      return statusOf(await answerTo(port, `GET /open HTTP/1.1\r\nHost: reviews\r\n${lines}Connection: close\r\n\r\n`));
    };
    expect(await ask("10.9.9.9")).toBe(200);
    expect(await ask("10.1.1.1", "10.9.9.9")).toBe(200);
    expect(seen).toHaveLength(2);
    for (const fields of [["10.9.9.9", "10.1.1.1"], ["10.9.9.9, 10.1.1.1"], ["10.9.9.9", ""], ["10.9.9.9, unknown"], []]) {
      expect([fields, await ask(...fields)]).toEqual([fields, 403]);
    }
    expect(seen).toHaveLength(2);
  });

  test("a header that a rule asks for has to be the same in each field", async () => {
    const team = { name: "team", when: [{ key: "request.headers[x-team]", values: ["blue"] }] };
    const { port, seen } = await recording({ authorize: [team] });
    const ask = async (...fields: readonly string[]) =>
      statusOf(await answerTo(port, `GET /open HTTP/1.1\r\nHost: reviews\r\n${fields.join("\r\n")}\r\nConnection: close\r\n\r\n`));
    expect(await ask("X-Team: blue")).toBe(200);
    for (const fields of [
      ["X-Team: blue", "x-team: red"],
      ["X-Team: red", "x-team: blue"],
      ["X-Team: blue, red"],
      ["X_Team: blue"],
      ["X-Team: "],
    ]) {
      expect([fields, await ask(...fields)]).toEqual([fields, 403]);
    }
    expect(seen).toHaveLength(1);
  });
});

describe("what only the mesh may say", () => {
  test.each(["x-user: root", "X-User: root\r\nx-uSer: root", "x-user : root", "x-user:root"])(
    "is not believed of a caller: %j",
    async (spoofed) => {
      const key = signingKey();
      const rule = { issuer: ISSUER, jwks: { inline: { keys: [key.jwk] } }, claimHeaders: [{ header: "x-user", claim: "sub" }] };
      const { port, seen } = await recording({ jwt: [rule] });
      const token = tokenOf(key, { exp: Math.floor(Date.now() / 1_000) + 600 });
      for (const proof of ["", `Authorization: Bearer ${token}\r\n`]) {
        await answerTo(port, `GET /open HTTP/1.1\r\nHost: reviews\r\n${spoofed}\r\n${proof}Connection: close\r\n\r\n`);
      }
      expect(seen.map(({ headers }) => headers["x-user"] ?? "nobody").filter((user) => !["nobody", "jane"].includes(String(user)))).toEqual(
        [],
      );
      expect(seen.flatMap(({ raw }) => raw)).not.toContain("root");
    },
  );

  test("x-forwarded-client-cert is nobody's, however often it is sent", async () => {
    const { port, seen } = await recording({ trustedPeers: ["spiffe://shop.test/gateway"] });
    const cert = "x-forwarded-client-cert: By=spiffe://shop.test/a;URI=spiffe://shop.test/admin";
    await answerTo(port, `GET /open HTTP/1.1\r\nHost: reviews\r\n${cert}\r\n${cert.toUpperCase()}\r\nConnection: close\r\n\r\n`);
    expect(seen.map(({ headers, raw }) => [headers["x-forwarded-client-cert"], raw.filter((text) => /client-cert/i.test(text))])).toEqual([
      [undefined, []],
    ]);
  });
});

describe("what is too large", () => {
  test("headers past Node's limit are refused before anything is asked", async () => {
    const { port, seen } = await recording({ authorize: [everybody] });
    expect(statusOf(await answerTo(port, `GET /open HTTP/1.1\r\nHost: reviews\r\nX: ${"x".repeat(20_000)}\r\n\r\n`))).toBe(431);
    expect(statusOf(await answerTo(port, `GET /${"x".repeat(20_000)} HTTP/1.1\r\nHost: reviews\r\n\r\n`))).toBe(431);
    expect(seen).toEqual([]);
  });

  test("more fields than Node takes hide no rule's header behind them", async () => {
    const blocked = { name: "blocked", action: "deny", when: [{ key: "request.headers[x-blocked]", values: ["*"] }] };
    const { port, seen } = await recording({ authorize: [blocked, everybody] });
    const filler = Array.from({ length: 2_100 }, () => "a:\r\n").join("");
    const answer = await answerTo(port, `GET /open HTTP/1.1\r\nHost: reviews\r\n${filler}X-Blocked: yes\r\nConnection: close\r\n\r\n`);
    expect([statusOf(answer), seen]).toEqual([431, []]);
  });

  test("a token past its limit is refused unread, and the connection serves on", async () => {
    const key = signingKey();
    const { port, seen } = await recording({ jwt: [{ issuer: ISSUER, jwks: { inline: { keys: [key.jwk] } } }] });
    const large = tokenOf(key, { exp: Math.floor(Date.now() / 1_000) + 600, padding: "x".repeat(9_000) });
    const ask = (token: string, last: string) => `GET /open HTTP/1.1\r\nHost: reviews\r\nAuthorization: Bearer ${token}\r\n${last}\r\n`;
    const answer = await answerTo(
      port,
      ask(large, "") + ask(tokenOf(key, { exp: Math.floor(Date.now() / 1_000) + 600 }), "Connection: close\r\n"),
    );
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 401", "HTTP/1.1 200"]);
    expect(seen).toHaveLength(1);
  });
});
