import { Metadata, status } from "@grpc/grpc-js";
import { context, localResponse, PushBody } from "@heddle/core";
import { describe, expect, test } from "vitest";
import { ISSUER, signingKey, tokenOf } from "../../../packages/core/test/token-issuer.ts";
import { call, type Method } from "./echo-service.ts";
import { exchange } from "./raw-stream.ts";
import { client, served } from "./serving.ts";

const METHODS: readonly Method[] = ["Say", "Gather", "Spread", "Talk"];
const sayAlone = { authorize: [{ name: "say", to: [{ paths: ["/shop.Echo/Say"] }] }] };

function isRefused(code: number): boolean {
  return Number.isNaN(code) || code === status.INVALID_ARGUMENT;
}

function bearing(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}

describe("authorization", () => {
  test("lets the methods through that a rule names, and ends every other call with PERMISSION_DENIED, each with its line", async () => {
    let runs = 0;
    const { listener, lines, inFlight } = await served(sayAlone, { handlers: { Talk: () => runs++, Gather: () => runs++ } });
    const caller = client(listener.port);
    for (const name of METHODS) {
      const { code } = await call(caller, name, ["one"]);
      expect([name, code]).toEqual([name, name === "Say" ? status.OK : status.PERMISSION_DENIED]);
    }
    expect(runs).toBe(0);
    await expect.poll(() => lines.map(({ path }) => path)).toEqual(METHODS.map((name) => `/shop.Echo/${name}`));
    expect(lines[1]).toMatchObject({ authorization: "not_allowed" });
    await expect.poll(inFlight).toBe(0);
  });

  test("decides calls of methods that nobody has, and logs them", async () => {
    const { listener, lines } = await served(sayAlone);
    const { code } = await call(client(listener.port), "Say", ["one"], { path: "/shop.Echo/Nope" });
    expect(code).toBe(status.PERMISSION_DENIED);
    await expect.poll(() => lines).toMatchObject([{ path: "/shop.Echo/Nope" }]);
    expect(lines[0]).not.toHaveProperty("route");
  });

  test("takes a path for no other spelling of a method that is allowed: methods are found by exactly what came", async () => {
    const { listener } = await served(sayAlone);
    for (const path of ["/shop.Echo/%53ay", "/shop.Echo//Say", "/shop.Echo/./Say"])
      expect((await call(client(listener.port), "Say", ["one"], { path })).code).toBe(status.PERMISSION_DENIED);
  });

  test("says UNIMPLEMENTED of a method that nobody has only to who may know, and logs it", async () => {
    const { listener, lines } = await served({ authorize: [{ name: "all", to: [{ paths: ["/*"] }] }] });
    const { code } = await call(client(listener.port), "Say", ["one"], { path: "/shop.Nobody/Say" });
    expect(code).toBe(status.UNIMPLEMENTED);
    await expect.poll(() => lines).toMatchObject([{ path: "/shop.Nobody/Say" }]);
  });

  test.each([
    "/shop.Echo/%54alk",
    "/shop.Echo//Talk",
    "/shop.Echo/./Talk",
    "//shop.Echo/Talk",
    "/shop.Echo/Talk?",
    "/shop.Echo/Talk/",
    "/shop.Echo;x/Talk",
  ])("no other spelling of a method that is denied reaches it: %s", async (path) => {
    let runs = 0;
    const { listener } = await served(
      { authorize: [{ name: "no-talk", action: "deny", to: [{ paths: ["/shop.Echo/Talk"] }] }] },
      { handlers: { Talk: () => runs++ } },
    );
    const { code } = await call(client(listener.port), "Talk", ["one"], { path });
    expect([status.UNIMPLEMENTED, status.PERMISSION_DENIED]).toContain(code);
    expect(runs).toBe(0);
  });
});

test("tokens are verified: none or a forged one is UNAUTHENTICATED, and the handler sees the claims of a good one", async () => {
  const [key, stranger] = [signingKey(), signingKey()];
  const exp = Math.floor(Date.now() / 1_000) + 3_600;
  const subjects: unknown[] = [];
  const { listener, lines } = await served(
    {
      jwt: [{ issuer: ISSUER, jwks: { inline: { keys: [key.jwk] } } }],
      authorize: [{ name: "jane", from: [{ requestPrincipals: [`${ISSUER}/jane`] }] }],
    },
    {
      handlers: {
        Say: (said, answer) => {
          subjects.push(context()?.jwt?.subject);
          answer(null, said.request);
        },
      },
    },
  );
  const caller = client(listener.port);
  const outcomes = [];
  for (const metadata of [bearing(tokenOf(stranger, { exp })), bearing("no.token.atall"), bearing(tokenOf(key, { exp }))])
    outcomes.push((await call(caller, "Say", ["one"], { metadata })).code);
  expect(outcomes).toEqual([status.UNAUTHENTICATED, status.UNAUTHENTICATED, status.OK]);
  expect(subjects).toEqual(["jane"]);
  expect((await call(caller, "Say", ["one"])).code).toBe(status.UNAUTHENTICATED);
  expect((await call(caller, "Say", ["one"], { metadata: bearing(tokenOf(key, { exp, sub: "joe" })) })).code).toBe(
    status.PERMISSION_DENIED,
  );
  await expect.poll(() => lines).toHaveLength(5);
});

test("what strangers write of who is calling does not reach the handler, whatever else does", async () => {
  const seen: Record<string, unknown>[] = [];
  const { listener } = await served(
    { jwt: [{ issuer: ISSUER, jwks: { inline: { keys: [signingKey().jwk] } }, claimHeaders: [{ claim: "sub", header: "x-user" }] }] },
    {
      handlers: {
        Say: ({ metadata, request }, answer) => {
          seen.push(metadata.getMap());
          answer(null, request);
        },
      },
    },
  );
  const metadata = new Metadata();
  metadata.add("x-forwarded-client-cert", "URI=spiffe://shop.test/admin");
  metadata.add("x-forwarded-client-cert", "URI=spiffe://shop.test/root");
  metadata.add("x-user", "admin");
  metadata.add("x-kept", "a");
  metadata.add("x-kept", "b");
  metadata.add("x-raw-bin", Buffer.from([0, 255]));
  expect((await call(client(listener.port), "Say", ["one"], { metadata })).code).toBe(status.OK);
  expect(seen[0]).not.toHaveProperty("x-forwarded-client-cert");
  expect(seen[0]).not.toHaveProperty("x-user");
  expect(seen[0]).toMatchObject({ "x-kept": "a, b", "x-raw-bin": Buffer.from([0, 255]) });
});

describe("what is no gRPC call", () => {
  test.each(["application/json", "text/plain; application/grpc", "Application/grpc"])(
    "of type %s is decided and logged, then refused by grpc-js",
    async (type) => {
      const { listener, lines } = await served(sayAlone);
      const say = await exchange(listener.port, { ":path": "/shop.Echo/Say", ":method": "POST", "content-type": type });
      expect(say.headers).toMatchObject({ ":status": 415 });
      const talk = await exchange(listener.port, { ":path": "/shop.Echo/Talk", ":method": "POST", "content-type": type });
      expect(talk.headers).toMatchObject({ ":status": 403 });
      await expect.poll(() => lines.map((line) => line.status)).toEqual([415, 403]);
    },
  );

  test.each(["GET", "PUT", "HEAD", "DELETE"])("by %s it is refused, whatever rules say of POST", async (method) => {
    let runs = 0;
    const { listener } = await served(
      {
        authorize: [
          { name: "no-post", action: "deny", to: [{ methods: ["POST"] }] },
          { name: "rest", to: [{ paths: ["/*"] }] },
        ],
      },
      { handlers: { Say: () => runs++ } },
    );
    const { headers } = await exchange(
      listener.port,
      { ":path": "/shop.Echo/Say", ":method": method, "content-type": "application/grpc" },
      Buffer.alloc(5),
    );
    expect(headers).toMatchObject({ ":status": 200, "grpc-status": `${status.INVALID_ARGUMENT}` });
    expect(runs).toBe(0);
  });

  test("has one authority: another Host, two of them, or one that is no host, is refused", async () => {
    const { listener } = await served({});
    const grpc = { ":path": "/shop.Echo/Say", ":method": "POST", "content-type": "application/grpc" };
    const codes = [];
    for (const odd of [
      { ":authority": "reviews", host: "admin" },
      { ":authority": "reviews@admin" },
      { ":authority": "reviews/admin" },
      { ":authority": "Reviews", host: "reviews" },
    ])
      codes.push((await exchange(listener.port, { ...grpc, ...odd }, Buffer.alloc(5))).status);
    // What is no host at all nghttp2 itself may refuse, by a reset.
    expect(codes).toEqual([status.INVALID_ARGUMENT, expect.toSatisfy(isRefused), expect.toSatisfy(isRefused), status.OK]);
  });
});

test("a layer of the application's own that fails is INTERNAL to the caller, has a line that says so, and runs no handler", async () => {
  let runs = 0;
  const { listener, lines, inFlight } = await served(
    {},
    {
      handlers: { Say: () => runs++ },
      layers: [{ at: "inbound", layer: () => () => Promise.reject(new Error("out of order")) }],
    },
  );
  expect(await call(client(listener.port), "Say", ["one"])).toMatchObject({
    code: status.INTERNAL,
    details: expect.not.stringContaining("out of order"),
  });
  await expect.poll(() => lines).toMatchObject([{ outcome: "extension_failed", why: expect.stringContaining("out of order") }]);
  expect(runs).toBe(0);
  await expect.poll(inFlight).toBe(0);
});

test("a layer of the application's own may answer in place of a handler: with messages, or with trailers alone", async () => {
  const message = Buffer.from("from a layer");
  const { listener, lines } = await served(
    {},
    {
      layers: [
        {
          at: "inbound",
          layer: () => async (request) => {
            const body = new PushBody(null);
            if (request.path.endsWith("Talk")) for (let count = 0; count < 3; count++) body.push(message);
            const failed = localResponse(200, null, { "x-head": "1" });
            if (request.path.endsWith("Gather")) {
              failed.body.trailers = { "grpc-status": "9", "grpc-message": "not now" };
              return failed;
            }
            if (request.path.endsWith("Spread")) return localResponse(429, "slow down");
            body.push(message);
            setImmediate(() => body.end({ "grpc-status": "0" }));
            return { status: 200, headers: {}, body };
          },
        },
      ],
    },
  );
  const caller = client(listener.port);
  expect(await call(caller, "Say", ["one"])).toMatchObject({ code: status.OK, texts: ["from a layer"] });
  expect((await call(caller, "Talk", ["one"])).texts).toHaveLength(4);
  expect(await call(caller, "Gather", ["one"])).toMatchObject({ code: status.FAILED_PRECONDITION, details: "not now" });
  expect((await call(caller, "Spread", ["one"])).code).toBe(status.UNAVAILABLE);
  await expect.poll(() => lines).toHaveLength(4);
});
