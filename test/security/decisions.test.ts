import { generateKeyPairSync } from "node:crypto";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { type AuthorizationNote, context, type Report } from "@heddle/core";
import { testAuthority } from "@heddle/testing/authority";
import { expect, test } from "vitest";
import { answerTo, answerToTarget, guarded, statusOf } from "./guarded.ts";

// What is decided about a request is told where people look for it: in the report, in the access log, in what is inspected.

const shop = testAuthority({ trustDomain: "shop.example" });
const WEB = "spiffe://shop.example/web";
const SECRET = "s3cr3t";

const AUTHORIZE = [
  { name: "no-admin", action: "deny", to: [{ paths: ["/admin/*"] }] },
  { name: "reads", from: [{ principals: [WEB] }], to: [{ methods: ["GET"] }] },
  { name: "seen", action: "audit", to: [{ paths: ["/api/*"] }] },
  { name: "tighter", action: "deny", mode: "shadow", to: [{ paths: ["/api/7"] }] },
];

const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
const jwt = [{ issuer: "https://issuer.example", jwks: { inline: { keys: [key] } } }];

type Line = Readonly<Record<string, unknown>>;

async function reviews(inbound: object) {
  const lines: Line[] = [];
  const reports: (Report | undefined)[] = [];
  const accessLog = { logger: { info: (line: object) => void lines.push(line as Line) } };
  const { mesh, listener } = await guarded(
    inbound,
    (request, response) => {
      reports.push(mesh.report(request));
      response.end("{}");
    },
    { identity: shop.source("reviews"), accessLog },
  );
  return { mesh, port: listener.port, lines, reports };
}

/** As `web`, over mutual TLS. */
async function statusAsWeb(port: number, path: string, options: RequestOptions = {}): Promise<number> {
  const { certPem: cert, keyPem: key } = shop.issue("web");
  const settings = { host: "127.0.0.1", port, path, cert, key, rejectUnauthorized: false, agent: false, ...options };
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  httpsRequest(settings, (response) => response.resume().on("end", () => resolve(response.statusCode ?? 0)))
    .on("error", reject)
    .end();
  return promise;
}

test("of what is served, report and access log say who called, which rule let it in, and what others would have made of it", async () => {
  const { mesh, port, lines, reports } = await reviews({ authorize: AUTHORIZE });
  expect(await statusAsWeb(port, `/api/7?token=${SECRET}`)).toBe(200);
  const noted: AuthorizationNote = {
    rule: "reads",
    reason: "allowed_by_rule",
    audited: ["seen"],
    shadow: { allowed: false, rule: "tighter" },
  };
  expect(reports).toMatchObject([{ service: "reviews", authorization: noted }]);
  await expect
    .poll(() => lines, { timeout: 10_000 })
    .toMatchObject([
      { direction: "inbound", path: "/api/7", peer_id: WEB, authorization: "reads", audited: ["seen"], shadow: noted.shadow },
    ]);
  expect(mesh.inspect().inbound.authorization).toMatchObject({ allowed: 1, denied: 0, shadowDiffers: 1 });
});

test("where nothing decides, nothing is said of a decision", async () => {
  const { port, lines, reports } = await reviews({});
  expect(await statusAsWeb(port, "/api/7")).toBe(200);
  await expect.poll(() => lines, { timeout: 10_000 }).toMatchObject([{ peer_id: WEB }]);
  expect(reports[0]).not.toHaveProperty("authorization");
  for (const field of ["authorization", "audited", "shadow"]) expect(lines[0]).not.toHaveProperty(field);
});

const bearer = { headers: { authorization: `Bearer ${SECRET}.${SECRET}.${SECRET}` } };
const twice = `authorization: Bearer ${SECRET}\r\nauthorization: Bearer ${SECRET}2\r\n`;

interface RefusedLine {
  readonly outcome: string;
  readonly authorization?: string;
  readonly why: RegExp;
}

test.each<[string, number, RefusedLine, string, RequestOptions?]>([
  ["what a rule denies", 403, { outcome: "permission_denied", authorization: "no-admin", why: /denied by no-admin/ }, "/admin/x"],
  [
    "what no rule allows",
    403,
    { outcome: "permission_denied", authorization: "not_allowed", why: /no allow rule matches/ },
    "/x",
    { method: "PUT" },
  ],
  ["a path that has no one spelling", 400, { outcome: "invalid_request", why: /path/ }, "/%zz"],
  ["a token that is none", 401, { outcome: "unauthenticated", why: /token/ }, "/x", bearer],
])("of %s, the line says why, and nothing that was secret in the request", async (_what, status, line, path, options = {}) => {
  const { port, lines, reports } = await reviews({ authorize: AUTHORIZE, jwt });
  expect(await statusAsWeb(port, `${path}?token=${SECRET}`, options)).toBe(status);
  expect(reports).toEqual([]);
  await expect.poll(() => lines, { timeout: 10_000 }).toMatchObject([{ peer_id: WEB, ...line, why: expect.stringMatching(line.why) }]);
  expect(JSON.stringify(lines)).not.toContain(SECRET);
});

test("of plain text to a strict service, the line says why, and names no peer", async () => {
  const { port, lines } = await reviews({ mtls: "strict" });
  expect(statusOf(await answerToTarget(port, `/x?token=${SECRET}`))).toBe(403);
  await expect
    .poll(() => lines, { timeout: 10_000 })
    .toMatchObject([{ outcome: "mtls_required", why: expect.stringMatching(/without mutual TLS, and inbound\.mtls is strict/) }]);
  expect(lines[0]).not.toHaveProperty("peer_id");
  expect(JSON.stringify(lines)).not.toContain(SECRET);
});

test("of a header for tokens that came twice, the line says why, without the tokens", async () => {
  const { port, lines } = await reviews({ mtls: "permissive", jwt });
  const answer = await answerTo(port, `GET /x?q=${SECRET} HTTP/1.1\r\nhost: reviews\r\n${twice}connection: close\r\n\r\n`);
  expect(statusOf(answer)).toBe(400);
  await expect
    .poll(() => lines, { timeout: 10_000 })
    .toMatchObject([{ outcome: "invalid_request", why: expect.stringMatching(/authorization/) }]);
  expect(JSON.stringify(lines)).not.toContain(SECRET);
});

test("deadlines are believed of who proves an identity, and of nobody else", async () => {
  const deadlines: boolean[] = [];
  const { listener } = await guarded(
    { mtls: "permissive" },
    (_request, response) => {
      deadlines.push(context()?.deadline !== undefined);
      response.end("{}");
    },
    { identity: shop.source("reviews") },
  );
  const header = "x-envoy-expected-rq-timeout-ms";
  await statusAsWeb(listener.port, "/", { headers: { [header]: "60000" } });
  await answerTo(listener.port, `GET / HTTP/1.1\r\nhost: reviews\r\n${header}: 60000\r\nconnection: close\r\n\r\n`);
  expect(deadlines).toEqual([true, false]);
});
