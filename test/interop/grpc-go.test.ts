import { createHash } from "node:crypto";
import { once } from "node:events";
import { type ClientDuplexStream, type ClientReadableStream, type ClientWritableStream, Metadata, status } from "@grpc/grpc-js";
import { type TestAuthority, testAuthority } from "@heddle/testing/authority";
import { context, type JoinedMesh, joinMesh } from "heddle";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { BUILD_MS, GoPeer, type PeerIdentity } from "./go-grpc.ts";
import { type AnyCall, BYTES, ECHO, ending, expectEchoed, metadataOf, type PeerCaller } from "./grpc-calls.ts";
import { Peer, PeerClient, peerHandlers, type SeenCall } from "./peer-service.ts";

let go: GoPeer;
beforeAll(() => {
  go = new GoPeer();
}, BUILD_MS);
afterAll(() => go?.[Symbol.dispose]());

const authority: TestAuthority = testAuthority();

function identityOf(service: string): PeerIdentity {
  const { certPem, keyPem } = authority.issue(service);
  return { cert: certPem, key: keyPem, ca: authority.bundlePem() };
}

/** Both ways of carrying it: in the clear, and with identities on both sides. */
const WAYS = ["plain text", "mutual TLS"] as const;
type Way = (typeof WAYS)[number];

async function joined(service: string, services: object, way: Way, settings: object = {}): Promise<JoinedMesh> {
  const mesh = await joinMesh({
    service,
    config: {
      apiVersion: "heddle/v1",
      mesh: {
        ...settings,
        ...(way === "mutual TLS" && { trustDomain: "shop.test", identityTemplate: "spiffe://{trustDomain}/{service}" }),
      },
      services,
    },
    ...(way === "mutual TLS" && { identity: authority.source(service) }),
  });
  onTestFinished(() => mesh.close({ limit: 0 }));
  return mesh;
}

describe.each(WAYS)("our client calls grpc-go's server by %s", (way) => {
  async function caller(goOptions: object = {}) {
    const server = await go.server(way === "mutual TLS" ? identityOf("go") : undefined);
    onTestFinished(() => server.kill());
    const mesh = await joined("web", { web: {}, go: { protocol: "grpc", endpoints: [{ address: server.address }], ...goOptions } }, way);
    const client = mesh.grpc(PeerClient, "go") as unknown as PeerCaller;
    onTestFinished(() => client.close());
    return { server, mesh, client };
  }

  test("all four kinds of calls, with metadata both ways", async () => {
    const { client } = await caller();
    const metadata = metadataOf(ECHO);
    const unary = await ending((answered) => client.Unary(Buffer.from("one"), metadata, answered));
    const collect = await ending((answered) => {
      const stream = client.Collect(metadata, answered) as ClientWritableStream<Uint8Array>;
      for (const text of ["a", "", "ccc"]) stream.write(Buffer.from(text));
      stream.end();
      return stream;
    });
    const expand = await ending(() => client.Expand(Buffer.from('{"count":3,"size":2}'), metadata));
    const chat = await ending(() => {
      const stream = client.Chat(metadata) as ClientDuplexStream<Uint8Array, Buffer>;
      for (const text of ["x", "y"]) stream.write(Buffer.from(text));
      stream.end();
      return stream;
    });
    for (const { code, headers, trailers } of [unary, collect, expand, chat]) {
      expect(code).toBe(status.OK);
      expectEchoed(headers);
      expectEchoed(trailers);
      expect(trailers.get("saw-authority")).toEqual(["go"]);
      expect(trailers.get("saw-peer")).toEqual([way === "mutual TLS" ? "spiffe://shop.test/web" : ""]);
    }
    expect(unary.messages.map(String)).toEqual(["one"]);
    expect(collect.messages.map(String)).toEqual(["3 messages of 4 bytes"]);
    expect(expand.messages).toEqual([Buffer.from([0, 1]), Buffer.from([1, 2]), Buffer.from([2, 3])]);
    expect(chat.messages.map(String)).toEqual(["x", "y"]);
  });

  test("a status with details in any script, with its trailers, and one after messages", async () => {
    const { client } = await caller();
    for (let code = 1; code <= 16; code++) {
      const failed = await ending((answered) => client.Unary(BYTES, metadataOf({ ...ECHO, "x-fail-code": String(code) }), answered));
      expect({ code: failed.code, details: failed.details }).toEqual({ code, details: "as was asked for: 100 % ü" });
      expectEchoed(failed.trailers);
    }
    const late = await ending(() => {
      const stream = client.Chat() as ClientDuplexStream<Uint8Array, Buffer>;
      for (const text of ["x", "fail"]) stream.write(Buffer.from(text));
      return stream;
    });
    expect({ code: late.code, details: late.details, messages: late.messages.map(String) }).toEqual({
      code: status.ABORTED,
      details: "the caller said so",
      messages: ["x"],
    });
  });

  test("a method that it does not have is UNIMPLEMENTED", async () => {
    const { client } = await caller();
    expect((await ending((answered) => client.Unknown(BYTES, answered))).code).toBe(status.UNIMPLEMENTED);
  });

  test("the smallest of the deadlines of caller and route reaches it, and ends the call on both sides", async () => {
    const { client, server } = await caller({ timeout: "20s" });
    const told = await ending((answered) => client.Unary(BYTES, new Metadata(), { deadline: Date.now() + 10_000 }, answered));
    const left = Number(told.trailers.get("saw-deadline-ms")[0]);
    expect(left).toBeGreaterThan(5_000);
    expect(left).toBeLessThanOrEqual(10_000);
    const late = await ending((answered) =>
      client.Unary(BYTES, metadataOf({ "x-sleep-ms": "60000" }), { deadline: Date.now() + 300 }, answered),
    );
    expect(late.code).toBe(status.DEADLINE_EXCEEDED);
    await expect.poll(() => server.endings.map(({ ended }) => ended), { timeout: 10_000 }).toEqual(["Unary"]);
  });

  test("it sees that a caller has left", async () => {
    const { client, server } = await caller();
    const left = await ending((answered) => {
      const call = client.Unary(BYTES, metadataOf({ "x-sleep-ms": "60000" }), answered) as AnyCall;
      setTimeout(() => call.cancel(), 200);
      return call;
    });
    expect(left.code).toBe(status.CANCELLED);
    const ended = [{ ended: "Unary", because: "context canceled" }];
    await expect.poll(() => server.endings, { timeout: 10_000 }).toEqual(ended);
  });

  test("64 MiB each way arrive as they were sent", async () => {
    const { client } = await caller({ timeout: "60s" });
    const hash = createHash("sha256");
    const expected = createHash("sha256");
    const message = Buffer.alloc(256 * 1024);
    for (let count = 0; count < 256; count++) {
      for (let at = 0; at < message.length; at++) message[at] = (count + at) % 256;
      expected.update(message);
    }
    const call = client.Expand(Buffer.from('{"count":256,"size":262144}')) as ClientReadableStream<Buffer>;
    for await (const part of call) hash.update(part as Buffer);
    expect(hash.digest("hex")).toBe(expected.digest("hex"));
    const collected = await ending((answered) => {
      const stream = client.Collect(answered) as ClientWritableStream<Uint8Array>;
      const write = async () => {
        for (let count = 0; count < 256; count++) if (!stream.write(message)) await once(stream, "drain");
        stream.end();
      };
      void write();
      return stream;
    });
    expect(collected.messages.map(String)).toEqual([`256 messages of ${64 * 1024 * 1024} bytes`]);
  });

  test("a server that stops in order, and one that is killed and comes again, cost no call", async () => {
    const servers = await Promise.all([0, 1, 2].map(() => go.server(way === "mutual TLS" ? identityOf("go") : undefined)));
    for (const server of servers) onTestFinished(() => server.kill());
    const endpoints = servers.map(({ address }) => ({ address }));
    const mesh = await joined("web", { web: {}, go: { protocol: "grpc", endpoints, retry: { on: ["grpc:unavailable"] } } }, way);
    const client = mesh.grpc(PeerClient, "go") as unknown as PeerCaller;
    const failed: string[] = [];
    let made = 0;
    const stopAt = Date.now() + 3_000;
    const worker = async () => {
      while (Date.now() < stopAt) {
        const { code, details } = await ending((answered) => client.Unary(BYTES, answered));
        made++;
        if (code !== status.OK) failed.push(`${code} ${details}`);
      }
    };
    const workers = Array.from({ length: 8 }, worker);
    await new Promise((later) => setTimeout(later, 700));
    servers[0]?.stopGracefully();
    await new Promise((later) => setTimeout(later, 700));
    await servers[1]?.kill();
    await Promise.all(workers);
    expect(failed).toEqual([]);
    expect(made).toBeGreaterThan(100);
  });
});

describe.each(WAYS)("grpc-go's client calls our server by %s", (way) => {
  async function served(inbound: object = {}, settings: object = {}) {
    const calls: SeenCall[] = [];
    const deadlines: (number | undefined)[] = [];
    const mesh = await joined(
      "peer",
      { peer: { inbound: { ...(way === "mutual TLS" && { mtls: "strict" }), ...inbound } } },
      way,
      settings,
    );
    const server = mesh.grpcServer();
    const seen = (call: SeenCall) => {
      calls.push(call);
      deadlines.push(context()?.remainingMs());
    };
    const { Unknown: _missing, ...definition } = Peer;
    server.addService(definition, peerHandlers(seen));
    const listener = await mesh.listen(server, { port: 0, host: "127.0.0.1" });
    const client = await go.client(way === "mutual TLS" ? identityOf("web") : undefined);
    onTestFinished(() => client[Symbol.asyncDispose]());
    return { client, target: `127.0.0.1:${listener.port}`, calls, deadlines, mesh };
  }

  test("all four kinds of calls, with metadata both ways, compressed or not", async () => {
    const { client, target } = await served();
    for (const compressor of [undefined, "gzip"] as const) {
      const common = { target, metadata: { "x-echo": "a, b" }, ...(compressor && { compressor }) };
      const unary = await client.call({ ...common, method: "Unary", messages: ["one"] });
      const collect = await client.call({ ...common, method: "Collect", messages: ["a", "", "ccc"] });
      const expand = await client.call({ ...common, method: "Expand", messages: ['{"count":3,"size":2}'] });
      const chat = await client.call({ ...common, method: "Chat", messages: ["x", "y"] });
      for (const { code, headers, trailers, peer } of [unary, collect, expand, chat]) {
        expect(code).toBe("OK");
        expect(headers?.["x-echo"]).toEqual(["a, b"]);
        expect(trailers?.["x-echo"]).toEqual(["a, b"]);
        expect(peer).toBe(way === "mutual TLS" ? "spiffe://shop.test/peer" : "");
      }
      expect(unary.messages).toEqual(["one"]);
      expect(collect.messages).toEqual(["3 messages of 4 bytes"]);
      expect({ count: expand.count, bytes: expand.bytes }).toEqual({ count: 3, bytes: 6 });
      expect(chat.messages).toEqual(["x", "y"]);
    }
  });

  test("a status with details in any script, and a method that we do not have", async () => {
    const { client, target } = await served();
    const failed = await client.call({ target, method: "Unary", messages: ["one"], metadata: { "x-fail-code": "9", "x-echo": "1" } });
    expect(failed).toMatchObject({ code: "FailedPrecondition", details: "as was asked for: 100 % ü", trailers: { "x-echo": ["1"] } });
    const late = await client.call({ target, method: "Chat", messages: ["x", "fail"] });
    expect(late).toMatchObject({ code: "Aborted", details: "the caller said so", messages: ["x"] });
    expect((await client.call({ target, method: "Unknown", messages: ["x"] })).code).toBe("Unimplemented");
  });

  test("its deadline holds, and is inherited where its caller is believed", async () => {
    const { client, target, deadlines } = await served({}, { trustHeaders: true });
    const late = await client.call({ target, method: "Unary", messages: ["x"], metadata: { "x-sleep-ms": "60000" }, timeoutMs: 400 });
    expect(late.code).toBe("DeadlineExceeded");
    expect(deadlines[0]).toBeGreaterThan(0);
    expect(deadlines[0]).toBeLessThanOrEqual(400);
  });

  test("a caller that leaves ends its call here", async () => {
    const { client, target, calls, mesh } = await served();
    const left = await client.call({ target, method: "Chat", messages: ["x", "y", "z"], cancelAfter: 2 });
    expect(left.code).toBe("Canceled");
    expect(calls).toHaveLength(1);
    await expect.poll(() => mesh.inspect().inbound.inFlight, { timeout: 10_000 }).toBe(0);
  });

  test("64 MiB each way arrive as they were sent", async () => {
    const { client, target } = await served();
    const expand = await client.call({ target, method: "Expand", messages: ['{"count":256,"size":262144}'] });
    expect({ count: expand.count, bytes: expand.bytes }).toEqual({ count: 256, bytes: 64 * 1024 * 1024 });
    const collect = await client.call({ target, method: "Collect", zeros: { count: 256, size: 262_144 } });
    expect(collect.messages).toEqual([`256 messages of ${64 * 1024 * 1024} bytes`]);
  });

  test("rules decide by method and caller, and a refusal is PERMISSION_DENIED without a word of why", async () => {
    const paths = ["/heddle.test.Peer/Unary"];
    const from = way === "mutual TLS" ? { from: [{ principals: ["spiffe://shop.test/web"] }] } : {};
    const { client, target, calls } = await served({ authorize: [{ name: "unary", ...from, to: [{ paths }] }] });
    expect((await client.call({ target, method: "Unary", messages: ["x"] })).code).toBe("OK");
    for (const method of ["Chat", "Unknown"] as const) {
      const refused = await client.call({ target, method, messages: ["x"] });
      expect(refused.code).toBe("PermissionDenied");
      expect(refused.details).not.toMatch(/unary|rule|web/);
    }
    expect(calls).toHaveLength(1);
  });
});
