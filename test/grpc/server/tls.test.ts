import { ChannelCredentials, type Client, status } from "@grpc/grpc-js";
import { context } from "@heddle/core";
import { testAuthority } from "@heddle/testing/authority";
import { describe, expect, test } from "vitest";
import { inboundPolicyOf, snapshotOf } from "../../../packages/core/test/builders.ts";
import { handSource } from "../../../packages/core/test/hand-source.ts";
import { call, type EchoHandlers, started } from "./echo-service.ts";
import { authority, client, provingTo, type ServedEcho, type ServingOptions, served } from "./serving.ts";

const whoCalls: Partial<EchoHandlers> = {
  Say: (_call, answer) => answer(null, { text: context()?.peer?.spiffeId ?? "nobody" }),
};

type Mode = "strict" | "permissive" | "disable";

async function reviews(first: Mode, options: ServingOptions = {}): Promise<ServedEcho & { edit(mode: Mode): void }> {
  const snapshot = (mtls: Mode) => snapshotOf({ inboundPolicies: [inboundPolicyOf("reviews", { mtls })] });
  const source = handSource(snapshot(first));
  const running = await served({}, { config: source as never, identity: authority.source("reviews"), handlers: whoCalls, ...options });
  return { ...running, edit: (mode) => source.update(snapshot(mode)) };
}

const who = async (caller: Client) => {
  const { code, texts } = await call(caller, "Say", [""]);
  return code === status.OK ? texts[0] : code;
};
const web = authority.id("web").text;
const nobody = () => ChannelCredentials.createSsl(Buffer.from(authority.bundlePem()), null, null, { checkServerIdentity: () => undefined });

describe("strict", () => {
  test("serves who proves an identity, which the handler sees, and refuses plain text with UNAUTHENTICATED", async () => {
    const { listener, lines } = await reviews("strict");
    expect(listener.url).toBe(`https://127.0.0.1:${listener.port}`);
    expect(await who(client(listener.port, provingTo(authority, "web")))).toBe(web);
    const plain = client(listener.port);
    expect(await who(plain)).toBe(status.UNAUTHENTICATED);
    expect((await call(plain, "Say", [""], { path: "/shop.Echo/Nope" })).code).toBe(status.UNAUTHENTICATED);
    await expect.poll(() => lines).toHaveLength(3);
    expect(lines[0]).toMatchObject({ peer_id: web });
    expect(lines[1]).not.toHaveProperty("peer_id");
  });

  test("lets no handshake through of a stranger, or of nobody", async () => {
    const { listener, mesh, lines } = await reviews("strict");
    const stranger = testAuthority();
    const { certPem, keyPem } = stranger.issue("web");
    const impostor = ChannelCredentials.createSsl(Buffer.from(authority.bundlePem()), Buffer.from(keyPem), Buffer.from(certPem), {
      checkServerIdentity: () => undefined,
    });
    for (const credentials of [impostor, nobody()]) expect(await who(client(listener.port, credentials))).toBe(status.UNAVAILABLE);
    expect(mesh.inspect().inbound.refusedConnections).toBeGreaterThanOrEqual(2);
    expect(lines).toEqual([]);
  });
});

test("permissive takes h2c and mutual TLS on one port, each as who it is", async () => {
  const { listener, lines } = await reviews("permissive");
  const callers = [client(listener.port), client(listener.port, provingTo(authority, "web")), client(listener.port, nobody())];
  for (let round = 0; round < 3; round++) expect(await Promise.all(callers.map(who))).toEqual(["nobody", web, "nobody"]);
  await expect.poll(() => lines).toHaveLength(9);
});

test("disable takes plain text, and no handshake", async () => {
  const { listener } = await reviews("disable");
  expect(await who(client(listener.port))).toBe("nobody");
  expect(await who(client(listener.port, provingTo(authority, "web")))).toBe(status.UNAVAILABLE);
});

test("an edit holds new connections to the new mode, refuses the next plain call of old ones, and breaks no stream of those that may stay", async () => {
  const { listener, edit } = await reviews("permissive");
  const plain = client(listener.port);
  const secure = client(listener.port, provingTo(authority, "web"));
  expect(await Promise.all([plain, secure].map(who))).toEqual(["nobody", web]);
  const stream = started(secure, "Talk", ["one"], {}, true);
  await stream.first;
  edit("strict");
  expect(await who(plain)).toBe(status.UNAUTHENTICATED);
  expect(await who(secure)).toBe(web);
  edit("disable");
  expect(await who(secure)).toBe(web);
  await expect.poll(() => who(plain)).toBe("nobody");
  stream.send("two");
  stream.send(null);
  expect(await stream.outcome).toMatchObject({ code: status.OK, texts: ["one", "two"] });
});

test("under load no call fails while certificates rotate, and new connections get the new one", async () => {
  const identity = authority.source("reviews");
  const { listener } = await reviews("strict", { identity });
  const callers = Array.from({ length: 4 }, () => client(listener.port, provingTo(authority, "web")));
  const failed: unknown[] = [];
  let rotations = 0;
  const load = callers.map(async (caller) => {
    for (let count = 0; count < 100; count++) {
      const answer = await who(caller);
      if (answer !== web) failed.push(answer);
    }
  });
  for (; rotations < 10; rotations++) {
    identity.rotate();
    expect(await who(client(listener.port, provingTo(authority, "web")))).toBe(web);
  }
  await Promise.all(load);
  expect(failed).toEqual([]);
});

test("a connection whose root is withdrawn finishes the stream under way, and takes no other call", async () => {
  const shop = testAuthority();
  const { listener, lines } = await reviews("strict", { identity: shop.source("reviews") });
  const secure = client(listener.port, provingTo(shop, "web"));
  const stream = started(secure, "Talk", ["one"], {}, true);
  await stream.first;
  shop.replaceRoot({ overlap: false });
  stream.send("two");
  stream.send(null);
  expect(await stream.outcome).toMatchObject({ code: status.OK, texts: ["one", "two"] });
  // It comes again with the certificate it had, which nobody believes any more.
  expect(await who(secure)).toBe(status.UNAVAILABLE);
  expect(lines).toHaveLength(1);
});
