import { createHash } from "node:crypto";
import { once } from "node:events";
import { type ClientDuplexStream, type ClientReadableStream, type ClientWritableStream, Metadata, status } from "@grpc/grpc-js";
import { type TestAuthority, testAuthority } from "@heddle/testing/authority";
import { context, type JoinedMesh, joinMesh } from "heddle";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { BUILD_MS, GoPeer, type GoServer, type PeerIdentity } from "./go-grpc.ts";
import { type AnyCall, BYTES, ECHO, ending, expectEchoed, metadataOf, type PeerCaller } from "./grpc-calls.ts";
import { Peer, PeerClient, patterned, peerHandlers, type SeenCall } from "./peer-service.ts";

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

const BIG = { count: 256, size: 256 * 1024 };
const BIG_BYTES = BIG.count * BIG.size;

function bigHash(): string {
  const hash = createHash("sha256");
  for (let index = 0; index < BIG.count; index++) hash.update(patterned(index, BIG.size));
  return hash.digest("hex");
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
    const call = client.Expand(Buffer.from(JSON.stringify(BIG))) as ClientReadableStream<Buffer>;
    const hash = createHash("sha256");
    for await (const part of call) hash.update(part as Buffer);
    expect(hash.digest("hex")).toBe(bigHash());
    const collected = await ending((answered) => {
      const stream = client.Collect(answered) as ClientWritableStream<Uint8Array>;
      const write = async () => {
        for (let index = 0; index < BIG.count; index++) if (!stream.write(patterned(index, BIG.size))) await once(stream, "drain");
        stream.end();
      };
      void write();
      return stream;
    });
    expect(collected.messages.map(String)).toEqual([`${BIG.count} messages of ${BIG_BYTES} bytes`]);
    expect(collected.trailers.get("saw-sha256")).toEqual([bigHash()]);
  });

  test("messages are compressed where the client's options say so", async () => {
    const { mesh } = await caller();
    const client = mesh.grpc(PeerClient, "go", { "grpc.default_compression_algorithm": 2 }) as unknown as PeerCaller;
    onTestFinished(() => client.close());
    const text = "warp and weft ".repeat(1000);
    const unary = await ending((answered) => client.Unary(Buffer.from(text), answered));
    const chat = await ending(() => {
      const stream = client.Chat() as AnyCall;
      for (const message of [text, ""]) stream.write(Buffer.from(message));
      stream.end();
      return stream;
    });
    expect([unary, chat].map(({ trailers }) => trailers.get("saw-encoding"))).toEqual([["gzip"], ["gzip"]]);
    expect([unary, chat].map(({ messages }) => messages.map(String))).toEqual([[text], [text, ""]]);
  });

  /** Calls over and over at three servers until `during` is over. */
  async function failuresWhile(during: (servers: GoServer[]) => Promise<void>, options: object): Promise<readonly string[]> {
    const identity = way === "mutual TLS" ? identityOf("go") : undefined;
    const servers = await Promise.all([0, 1, 2].map(() => go.server(identity)));
    onTestFinished(async () => void (await Promise.all(servers.map((server) => server.kill()))));
    const endpoints = servers.map(({ address }) => ({ address }));
    const mesh = await joined("web", { web: {}, go: { protocol: "grpc", endpoints, ...options } }, way);
    const client = mesh.grpc(PeerClient, "go") as unknown as PeerCaller;
    onTestFinished(() => client.close());
    const failed: string[] = [];
    let made = 0;
    let isOver = false;
    const worker = async () => {
      for (; !isOver; made++) {
        const { code, details } = await ending((answered) => client.Unary(BYTES, metadataOf({ "x-sleep-ms": "2" }), answered));
        if (code !== status.OK) failed.push(`${code} ${details}`);
      }
    };
    const workers = Array.from({ length: 8 }, worker);
    await during(servers);
    isOver = true;
    await Promise.all(workers);
    expect(made).toBeGreaterThan(100);
    return failed;
  }

  test("servers that stop in order cost no call, although none is tried again that was begun", async () => {
    const stop = async (servers: GoServer[]) => {
      for (const server of servers.slice(0, 2)) {
        await new Promise((later) => setTimeout(later, 700));
        server.stopGracefully();
      }
      await new Promise((later) => setTimeout(later, 700));
    };
    expect(await failuresWhile(stop, {})).toEqual([]);
  });

  test("servers that are killed and come again cost no call that is tried again", async () => {
    const identity = way === "mutual TLS" ? identityOf("go") : undefined;
    const killInTurn = async (servers: GoServer[]) => {
      for (const index of [0, 1, 0, 1]) {
        await new Promise((later) => setTimeout(later, 400));
        const { address } = servers[index] as GoServer;
        await servers[index]?.kill();
        await new Promise((later) => setTimeout(later, 200));
        servers[index] = await go.server(identity, address);
      }
    };
    expect(await failuresWhile(killInTurn, { retry: { on: ["grpc:unavailable"] } })).toEqual([]);
  });
});

test.each([
  ["the server is not who it has to be", "other", authority, "refused the server: the peer is spiffe://shop.test/other"],
  ["the server does not know the authority of the caller", "go", testAuthority(), "TLS alert unknown ca"],
] as const)("a call fails with UNAVAILABLE, and says why, where %s", async (_, name, known, why) => {
  const server = await go.server({ ...identityOf(name), ca: known.bundlePem() });
  onTestFinished(() => server.kill());
  const mesh = await joined("web", { web: {}, go: { protocol: "grpc", endpoints: [{ address: server.address }] } }, "mutual TLS");
  const client = mesh.grpc(PeerClient, "go") as unknown as PeerCaller;
  onTestFinished(() => client.close());
  const { code, details } = await ending((answered) => client.Unary(BYTES, answered));
  expect(code).toBe(status.UNAVAILABLE);
  expect(details).toContain(why);
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
    // Bytes that JSON can carry to grpc-go, and that no header could hold as they are.
    const echoed = { "x-echo": "a, b", "x-echo-bin": "\u0000\n\u001f ü" };
    for (const compressor of [undefined, "gzip"] as const) {
      const common = { target, metadata: echoed, ...(compressor && { compressor }) };
      const unary = await client.call({ ...common, method: "Unary", messages: ["one"] });
      const collect = await client.call({ ...common, method: "Collect", messages: ["a", "", "ccc"] });
      const expand = await client.call({ ...common, method: "Expand", messages: ['{"count":3,"size":2}'] });
      const chat = await client.call({ ...common, method: "Chat", messages: ["x", "y"] });
      for (const { code, headers, trailers, peer } of [unary, collect, expand, chat]) {
        expect(code).toBe("OK");
        for (const [name, value] of Object.entries(echoed)) {
          expect(headers?.[name]).toEqual([value]);
          expect(trailers?.[name]).toEqual([value]);
        }
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
    const expand = await client.call({ target, method: "Expand", messages: [JSON.stringify(BIG)] });
    expect(expand).toMatchObject({ count: BIG.count, bytes: BIG_BYTES, sha256: bigHash() });
    const collect = await client.call({ target, method: "Collect", pattern: BIG });
    expect(collect.messages).toEqual([`${BIG.count} messages of ${BIG_BYTES} bytes`]);
    expect(collect.trailers?.["saw-sha256"]).toEqual([bigHash()]);
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
