import { createHmac, type KeyObject } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import type { Problem } from "@heddle/core";
import { ownCalls } from "@heddle/http";
import { describe, expect, test, vi } from "vitest";
import { base64url, CLAIMS, ISSUER, signingKey, tokenOf } from "../../packages/core/test/token-issuer.ts";
import { answerTo, guarded, statusOf } from "./guarded.ts";
import { jwksServer, keysAnswer } from "./jwks-server.ts";

// Tokens and the keys they are verified by, through a whole mesh: who forged one, or where keys cannot be had, is 401, and no application sees it.

const exp = Math.floor(Date.now() / 1_000) + 3_600;
const rsa = signingKey("rsa", "main");
const ec = signingKey("P-256", "curve");
const stranger = signingKey("rsa", "main");

async function reviews(jwks: object, rest: object = {}) {
  const seen: (string | undefined)[] = [];
  const problems: Problem[] = [];
  const application = (request: { readonly url?: string; readonly headers: NodeJS.Dict<unknown> }, response: ServerResponse) => {
    seen.push(request.url);
    response.end("served");
  };
  const { mesh, listener } = await guarded(
    {
      jwt: [{ issuer: ISSUER, jwks }],
      authorize: [
        { name: "jane", from: [{ requestPrincipals: [`${ISSUER}/jane`] }] },
        { name: "open", to: [{ paths: ["/open"] }] },
      ],
      ...rest,
    },
    application as never,
    { ownCalls: ownCalls(), onProblem: (problem) => problems.push(problem) },
  );
  const ask = (token: string | null, path = "/private") => {
    const proof = token === null ? "" : `Authorization: Bearer ${token}\r\n`;
    return answerTo(listener.port, `GET ${path} HTTP/1.1\r\nHost: reviews\r\n${proof}Connection: close\r\n\r\n`);
  };
  return { mesh, ask, seen, problems };
}

/** A token of an HMAC over what everybody knows. */
function hmac(alg: string, secret: string | Buffer, header: object = {}): string {
  const input = `${base64url({ alg, typ: "JWT", kid: "main", ...header })}.${base64url({ ...CLAIMS, exp })}`;
  return `${input}.${createHmac(alg.replace("HS", "sha"), secret).update(input).digest("base64url")}`;
}

function unsigned(alg: unknown, signature = ""): string {
  return `${base64url({ alg, typ: "JWT", kid: "main" })}.${base64url({ ...CLAIMS, exp })}.${signature}`;
}

const pem = (key: KeyObject, type: "spki" | "pkcs1") => String(key.export({ type, format: "pem" }));
const good = tokenOf(rsa, { exp });
const [head = "", claims = "", signature = ""] = good.split(".");

const FORGED: Readonly<Record<string, string>> = {
  none: unsigned("none"),
  None: unsigned("None"),
  "nOnE with a signature": unsigned("nOnE", signature),
  "no algorithm": unsigned(undefined),
  "a list of algorithms": unsigned(["RS256", "none"], signature),
  "an HMAC with the public key as PEM": hmac("HS256", pem(rsa.publicKey, "spki")),
  "an HMAC with the public key as PKCS #1": hmac("HS512", pem(rsa.publicKey, "pkcs1")),
  "an HMAC with the public key as DER": hmac("HS256", rsa.publicKey.export({ type: "spki", format: "der" })),
  "an HMAC with the JWK": hmac("HS384", JSON.stringify(rsa.jwk)),
  "an HMAC with nothing": hmac("HS256", ""),
  "a key of another kind under the ID": tokenOf({ ...ec, kid: "main" }, { exp }),
  "the algorithm of another kind of key": tokenOf({ ...rsa, kid: "curve" }, { exp }),
  "ES256 claimed for a signature of RSA": tokenOf(rsa, { exp }, { alg: "ES256" }),
  "PS256 claimed for a signature of RS256": tokenOf(rsa, { exp }, { alg: "PS256" }),
  "a stranger's signature": tokenOf(stranger, { exp }),
  "a stranger's key in the header": tokenOf(stranger, { exp }, { jwk: stranger.jwk }),
  "an ID that is a path": tokenOf(stranger, { exp }, { kid: "../../../../dev/null" }),
  "an ID that is a URL": tokenOf(stranger, { exp }, { kid: "http://127.0.0.1:1/jwks" }),
  "an ID of SQL": tokenOf(stranger, { exp }, { kid: "x' UNION SELECT 'key" }),
  "an ID with a NUL": tokenOf(stranger, { exp }, { kid: "main\0" }),
  "an ID that every object has": tokenOf(stranger, { exp }, { kid: "__proto__" }),
  "an ID that is an object": tokenOf(stranger, { exp }, { kid: { $ne: null } }),
  "an ID that is two": tokenOf(stranger, { exp }, `{"alg":"RS256","kid":"other","kid":"main"}`),
  "no ID": tokenOf({ ...stranger, kid: null }, { exp }),
  "an extension that has to be understood": tokenOf(rsa, { exp }, { crit: ["b64"], b64: false }),
  "the signature taken away": `${head}.${claims}.`,
  "other claims under the signature": `${head}.${base64url({ ...CLAIMS, exp, sub: "jane", admin: true })}.${signature}`,
  "claims twice": tokenOf(rsa, `{"iss":${JSON.stringify(ISSUER)},"sub":"mallory","sub":"jane","exp":${exp}}`),
  "five parts": `${good}.x.y`,
  padding: `${head}=.${claims}.${signature}`,
  "another alphabet": good.replace(/[-_]/g, (sign) => (sign === "-" ? "+" : "/")).replace(/^/, "\u00a0"),
};

describe("a token that nobody should believe", () => {
  test.each(Object.entries(FORGED))("is 401, says how to prove oneself, and is seen by no application: %s", async (_name, token) => {
    const { ask, seen } = await reviews({ inline: { keys: [rsa.jwk, ec.jwk] } });
    for (const path of ["/private", "/open"]) {
      const answer = await ask(token, path);
      expect(answer).toMatch(/^HTTP\/1\.1 401 .*\r\nwww-authenticate: Bearer/is);
      // Nothing of what was sent, or is trusted, is told to whoever sends.
      expect(answer).not.toContain("main");
    }
    expect(seen).toEqual([]);
    expect(statusOf(await ask(good))).toBe(200);
    expect(statusOf(await ask(null, "/open"))).toBe(200);
    expect(seen).toEqual(["/private", "/open"]);
  });

  test("makes the mesh fetch nothing that it names", async () => {
    await using attacker = await jwksServer(keysAnswer(stranger.jwk));
    await using issuer = await jwksServer(keysAnswer(rsa.jwk));
    const { ask, seen } = await reviews({ url: issuer.url, cooldown: "1h" });
    for (const header of [{ jku: attacker.url }, { x5u: attacker.url }, { kid: attacker.url }, { jwk: stranger.jwk, jku: attacker.url }]) {
      expect(statusOf(await ask(tokenOf(stranger, { exp }, header)))).toBe(401);
    }
    expect(statusOf(await ask(tokenOf(stranger, { exp, iss: attacker.url })))).toBe(401);
    expect([attacker.asked, seen]).toEqual([[], []]);
    expect(statusOf(await ask(good))).toBe(200);
    expect(issuer.asked.length).toBeLessThanOrEqual(2);
  });
});

/** Without its keys nobody is who the token says, and who brings none is served as ever. */
async function expectRefused({ ask, seen, problems }: Awaited<ReturnType<typeof reviews>>, problem: RegExp): Promise<void> {
  expect(await ask(good)).toMatch(/^HTTP\/1\.1 401 /);
  expect(seen).toEqual([]);
  expect(problems.map(({ message }) => message).join()).toMatch(problem);
  expect(statusOf(await ask(null, "/open"))).toBe(200);
  expect(statusOf(await ask(null, "/livez"))).toBe(200);
}

describe("keys that cannot be had", () => {
  test("of a server that is down", async () => {
    const issuer = await jwksServer(keysAnswer(rsa.jwk));
    await issuer.stop();
    await expectRefused(await reviews({ url: issuer.url }), /ECONNREFUSED/);
    await issuer[Symbol.asyncDispose]();
  });

  test("of a server that was down are fetched once it is back", async () => {
    await using issuer = await jwksServer((_request, response) => response.writeHead(500).end());
    const running = await reviews({ url: issuer.url, cooldown: "1s" });
    await expectRefused(running, /it answered 500, expected 200/);
    issuer.answer = keysAnswer(rsa.jwk);
    await vi.waitFor(async () => expect(statusOf(await running.ask(good))).toBe(200), 10_000);
  });

  test("of a server that says nothing are waited for by all at once, for as long as is set, and by nobody who brings no token", async () => {
    await using issuer = await jwksServer(() => {});
    const running = await reviews({ url: issuer.url, timeout: "1s" });
    const waiting = Promise.all(Array.from({ length: 50 }, () => running.ask(good)));
    await issuer.came(1);
    expect(statusOf(await running.ask(null, "/open"))).toBe(200);
    expect((await waiting).map(statusOf)).toEqual(Array.from({ length: 50 }, () => 401));
    expect(issuer.asked).toHaveLength(1);
    expect(running.problems.map(({ message }) => message).join()).toMatch(/no complete answer within 1000 ms/);
  });

  test("behind a redirect are nobody's", async () => {
    await using attacker = await jwksServer(keysAnswer(rsa.jwk));
    await using issuer = await jwksServer((_request, response) => response.writeHead(302, { location: attacker.url }).end());
    await expectRefused(await reviews({ url: issuer.url }), /it answered 302/);
    expect(attacker.asked).toEqual([]);
  });

  /** Writes as much as is taken. */
  const endless = (_request: IncomingMessage, response: ServerResponse) => {
    const more = () => {
      while (response.write(Buffer.alloc(65_536, " ")));
    };
    response.on("drain", more);
    more();
  };
  test("that never end are not read on", async () => {
    let ended = 0;
    await using issuer = await jwksServer((request, response) => {
      response.on("close", () => ended++);
      endless(request, response);
    });
    await expectRefused(await reviews({ url: issuer.url }), /its answer has more than \d+ bytes/);
    await vi.waitFor(() => expect(ended).toBe(1), 10_000);
  });

  test("that would swell are not unpacked", async () => {
    const packed = gzipSync(JSON.stringify({ keys: [rsa.jwk], padding: " ".repeat(50_000_000) }));
    await using issuer = await jwksServer((_request, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(packed));
    await expectRefused(await reviews({ url: issuer.url }), /it is not JSON/);
  });
});
