import { Metadata, type Server, status } from "@grpc/grpc-js";
import { context, type JoinedMesh, joinMesh } from "heddle";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { Envoy } from "../../bench/envoy.ts";
import { findEnvoy, thisMachine } from "../../bench/envoy-binary.ts";
import { freePorts } from "../../packages/heddle/src/demo/ports.ts";
import { BUILD_MS, type GoCall, type GoClient, GoPeer, type GoServer } from "./go-grpc.ts";
import { type AnyCall, BYTES, ECHO, ending, expectEchoed, metadataOf, type PeerCaller } from "./grpc-calls.ts";
import { Peer, PeerClient, peerHandlers, type SeenCall } from "./peer-service.ts";

const EXTENSIONS = "type.googleapis.com/envoy.extensions";
const ANY_PORT = { socket_address: { address: "127.0.0.1", port_value: 0 } };
const MOST_STREAMS = 4;
const CALLERS = 24;

let goPeer: GoPeer;
let goServer: GoServer;
let goClient: GoClient;
let ours: JoinedMesh;
let envoy: Envoy;
/** What a listener of Envoy leads to, and how. */
const addresses = { toGo: "", toOurs: "", toNobody: "", impatient: "", leaving: "" };

let seen: (call: SeenCall) => void = () => {};

function listener(name: string, cluster: string, route: object = {}, options: object = {}, prefix = "/") {
  const routes = [{ match: { prefix }, route: { cluster, timeout: "0s", ...route } }];
  const manager = {
    "@type": `${EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    codec_type: "HTTP2",
    route_config: { virtual_hosts: [{ name, domains: ["*"], routes }] },
    http_filters: [{ name: "envoy.filters.http.router", typed_config: { "@type": `${EXTENSIONS}.filters.http.router.v3.Router` } }],
    ...options,
  };
  return {
    name,
    address: ANY_PORT,
    filter_chains: [{ filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] }],
  };
}

function cluster(name: string, address: string) {
  const [host, port] = address.split(":");
  const endpoint = { address: { socket_address: { address: host, port_value: Number(port) } } };
  const options = `${EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions`;
  return {
    name,
    type: "STATIC",
    connect_timeout: "5s",
    // By default three retries at once.
    circuit_breakers: { thresholds: [{ max_retries: CALLERS }] },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": options,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
}

async function serveOurs(): Promise<string> {
  ours = await joinMesh({
    service: "peer",
    config: { apiVersion: "heddle/v1", mesh: { trustHeaders: true }, services: { peer: {} } },
  });
  const server = ours.grpcServer<Server>({ "grpc.max_concurrent_streams": MOST_STREAMS });
  const { Unknown: _missing, ...definition } = Peer;
  server.addService(
    definition,
    peerHandlers((call) => seen(call)),
  );
  return `127.0.0.1:${(await ours.listen(server, { port: 0, host: "127.0.0.1" })).port}`;
}

beforeAll(async () => {
  goPeer = new GoPeer();
  goServer = await goPeer.server();
  goClient = await goPeer.client();
  const [nobody] = await freePorts(1);
  const { command } = await findEnvoy(thisMachine(() => {}));
  envoy = await Envoy.start(command, {
    admin: { address: ANY_PORT },
    static_resources: {
      listeners: [
        listener("toGo", "go", {}, { http2_protocol_options: { max_concurrent_streams: MOST_STREAMS } }),
        listener("toOurs", "ours", { retry_policy: { retry_on: "refused-stream", num_retries: 20 } }),
        listener("toNobody", "nobody", {}, {}, "/heddle.test.Peer/Unary"),
        // A limit of its own, of which grpc-go hears nothing: were it told, whichever of the two came first would name the status.
        listener("impatient", "go", { timeout: "0.3s" }),
        listener("leaving", "go", {}, { common_http_protocol_options: { max_connection_duration: "0.3s" }, drain_timeout: "0.1s" }),
      ],
      clusters: [cluster("go", goServer.address), cluster("ours", await serveOurs()), cluster("nobody", `127.0.0.1:${nobody}`)],
    },
  });
  for (const [index, name] of Object.keys(addresses).entries())
    addresses[name as keyof typeof addresses] = envoy.listeners[index] as string;
}, BUILD_MS + 240_000);

afterAll(async () => {
  await envoy?.stop();
  await ours?.close({ limit: 0 });
  await goClient?.[Symbol.asyncDispose]();
  await goServer?.kill();
  goPeer?.[Symbol.dispose]();
});

async function caller(names: readonly (keyof typeof addresses)[], settings: object = {}) {
  const endpoints = names.map((name) => ({ address: addresses[name] }));
  const mesh = await joinMesh({
    service: "web",
    config: { apiVersion: "heddle/v1", services: { web: {}, peer: { protocol: "grpc", endpoints, ...settings } } },
  });
  onTestFinished(() => mesh.close({ limit: 0 }));
  const client = mesh.grpc(PeerClient, "peer") as unknown as PeerCaller;
  onTestFinished(() => client.close());
  return { mesh, client };
}

function sent(call: unknown, ...texts: readonly string[]): AnyCall {
  const stream = call as AnyCall;
  for (const text of texts) stream.write(Buffer.from(text));
  stream.end();
  return stream;
}

test("all four kinds of calls pass to grpc-go with metadata and trailers", async () => {
  const { client } = await caller(["toGo"]);
  const metadata = metadataOf(ECHO);
  const unary = await ending((answered) => client.Unary(Buffer.from("one"), metadata, answered));
  const collect = await ending((answered) => sent(client.Collect(metadata, answered), "a", "", "ccc"));
  const expand = await ending(() => client.Expand(Buffer.from('{"count":3,"size":2}'), metadata));
  const chat = await ending(() => sent(client.Chat(metadata), "x", "y"));
  for (const { code, headers, trailers } of [unary, collect, expand, chat]) {
    expect(code).toBe(status.OK);
    expectEchoed(headers);
    expectEchoed(trailers);
    expect(trailers.get("saw-authority")).toEqual(["peer"]);
  }
  expect(unary.messages.map(String)).toEqual(["one"]);
  expect(collect.messages.map(String)).toEqual(["3 messages of 4 bytes"]);
  expect(expand.messages).toEqual([Buffer.from([0, 1]), Buffer.from([1, 2]), Buffer.from([2, 3])]);
  expect(chat.messages.map(String)).toEqual(["x", "y"]);
});

test("trailers alone pass from grpc-go, and are tried again where asked, unlike a failure after a message", async () => {
  const { client } = await caller(["toGo"], {
    retry: { on: ["grpc:unavailable", "grpc:aborted"], maxRetries: 2, backoff: { base: "5ms" } },
  });
  for (let code = 1; code <= 16; code++) {
    const failed = await ending((answered) => client.Unary(BYTES, metadataOf({ ...ECHO, "x-fail-code": String(code) }), answered));
    expect({ code: failed.code, details: failed.details }).toEqual({ code, details: "as was asked for: 100 % ü" });
    expectEchoed(failed.trailers);
    const isRetried = code === status.UNAVAILABLE || code === status.ABORTED;
    expect(failed.trailers.get("saw-grpc-previous-rpc-attempts")).toEqual(isRetried ? ["2"] : []);
  }
  const late = await ending(() => sent(client.Chat(), "x", "fail"));
  expect(late).toMatchObject({ code: status.ABORTED, details: "the caller said so" });
  expect(late.trailers.get("saw-grpc-previous-rpc-attempts")).toEqual([]);
});

test("Envoy's own answers are statuses: no route, and nobody behind it, which is tried elsewhere", async () => {
  const { client } = await caller(["toNobody"]);
  const unrouted = await ending((answered) => client.Unknown(BYTES, answered));
  expect(unrouted.code).toBe(status.UNIMPLEMENTED);
  expect((await ending((answered) => client.Unary(BYTES, answered))).code).toBe(status.UNAVAILABLE);
  const both = await caller(["toNobody", "toGo"], { retry: { on: ["grpc:unavailable"] } });
  for (let count = 0; count < 20; count++) expect((await ending((answered) => both.client.Unary(BYTES, answered))).code).toBe(status.OK);
  const tries = both.mesh.inspect().backends.flatMap(({ endpoints }) => endpoints.map(({ failures }) => failures));
  expect(tries.filter((failures) => failures > 0)).toHaveLength(1);
});

test("a deadline passes to grpc-go, ends the call on both sides, and Envoy's own is told in its words", async () => {
  const { client } = await caller(["toGo"], { timeout: "20s" });
  const deadline = Date.now() + 10_000;
  const told = await ending((answered) => client.Unary(BYTES, new Metadata(), { deadline }, answered));
  const left = Number(told.trailers.get("saw-deadline-ms")[0]);
  expect(left).toBeGreaterThan(5_000);
  expect(left).toBeLessThanOrEqual(10_000);
  const before = goServer.endings.length;
  const slow = metadataOf({ "x-sleep-ms": "60000" });
  const late = await ending((answered) => client.Unary(BYTES, slow, { deadline: Date.now() + 300 }, answered));
  expect(late.code).toBe(status.DEADLINE_EXCEEDED);
  await expect.poll(() => goServer.endings.slice(before).map(({ ended }) => ended), { timeout: 10_000 }).toEqual(["Unary"]);
  const impatient = await caller(["impatient"], { timeout: "20s" });
  const cut = await ending((answered) => impatient.client.Unary(BYTES, slow, answered));
  // HTTP's 504, as gRPC maps it.
  expect(cut).toMatchObject({ code: status.UNAVAILABLE, details: "upstream request timeout" });
  await expect.poll(() => goServer.endings.slice(before).map(({ ended }) => ended), { timeout: 10_000 }).toEqual(["Unary", "Unary"]);
});

test("a caller that leaves is seen to leave behind Envoy", async () => {
  const { client } = await caller(["toGo"]);
  const before = goServer.endings.length;
  const left = await ending((answered) => {
    const call = client.Unary(BYTES, metadataOf({ "x-sleep-ms": "60000" }), answered) as AnyCall;
    setTimeout(() => call.cancel(), 200);
    return call;
  });
  expect(left.code).toBe(status.CANCELLED);
  const ended = { ended: "Unary", because: "context canceled" };
  await expect.poll(() => goServer.endings.slice(before), { timeout: 10_000 }).toEqual([ended]);
});

test("Envoy's limit of streams is kept over one connection, by calls that wait for their turn", async () => {
  const { mesh, client } = await caller(["toGo"]);
  const before = await envoy.stat("http.toGo.downstream_cx_total");
  const startedAt = performance.now();
  const calls = Array.from({ length: CALLERS }, (_, index) =>
    ending((answered) => client.Unary(Buffer.from(String(index)), metadataOf({ "x-sleep-ms": "50" }), answered)),
  );
  const answers = await Promise.all(calls);
  expect(answers.map(({ code, messages }) => `${code} ${messages}`)).toEqual(answers.map((_, index) => `0 ${index}`));
  // Some milliseconds less: the clocks are those of two programs.
  expect(performance.now() - startedAt).toBeGreaterThan((CALLERS / MOST_STREAMS) * 50 - 20);
  expect(await envoy.stat("http.toGo.downstream_cx_total")).toBe(before + 1);
  expect(mesh.inspect().backends.flatMap(({ endpoints }) => endpoints.map(({ failures }) => failures))).toEqual([0]);
});

test("Envoy that goes away every 300 ms costs no call", async () => {
  const { client } = await caller(["leaving"]);
  const endsAt = performance.now() + 3_000;
  const failed: string[] = [];
  let made = 0;
  const callers = Array.from({ length: 16 }, async () => {
    for (; performance.now() < endsAt; made++) {
      const { code, details } = await ending((answered) => client.Unary(BYTES, answered));
      if (code !== status.OK) failed.push(`${code} ${details}`);
    }
  });
  await Promise.all(callers);
  expect(failed).toEqual([]);
  expect(made).toBeGreaterThan(100);
  expect(await envoy.stat("http.leaving.downstream_cx_total")).toBeGreaterThan(3);
});

const fromGo = (call: Omit<GoCall, "target">) => goClient.call({ target: addresses.toOurs, ...call });

test("all four kinds of calls pass from grpc-go to our server with metadata and trailers, compressed or not", async () => {
  for (const compressor of [undefined, "gzip"] as const) {
    const common = { metadata: { "x-echo": "a, b" }, ...(compressor && { compressor }) };
    const unary = await fromGo({ ...common, method: "Unary", messages: ["one"] });
    const collect = await fromGo({ ...common, method: "Collect", messages: ["a", "", "ccc"] });
    const expand = await fromGo({ ...common, method: "Expand", messages: ['{"count":3,"size":2}'] });
    const chat = await fromGo({ ...common, method: "Chat", messages: ["x", "y"] });
    for (const { code, headers, trailers } of [unary, collect, expand, chat]) {
      expect(code).toBe("OK");
      expect(headers?.["x-echo"]).toEqual(["a, b"]);
      expect(trailers?.["x-echo"]).toEqual(["a, b"]);
    }
    expect([unary, collect, chat].map(({ messages }) => messages)).toEqual([["one"], ["3 messages of 4 bytes"], ["x", "y"]]);
    expect({ count: expand.count, bytes: expand.bytes }).toEqual({ count: 3, bytes: 6 });
  }
});

test("trailers alone pass from our server, and those after messages", async () => {
  for (const [code, name] of ["OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound"].entries()) {
    if (code === 0) continue;
    const failed = await fromGo({ method: "Unary", messages: ["one"], metadata: { "x-fail-code": String(code), "x-echo": "1" } });
    expect(failed).toMatchObject({ code: name, details: "as was asked for: 100 % ü", trailers: { "x-echo": ["1"] } });
  }
  expect(await fromGo({ method: "Chat", messages: ["x", "fail"] })).toMatchObject({
    code: "Aborted",
    details: "the caller said so",
    messages: ["x"],
  });
  expect((await fromGo({ method: "Unknown", messages: ["x"] })).code).toBe("Unimplemented");
});

test("a deadline of grpc-go passes to our server, whose handler is told when it is over", async () => {
  const left: (number | undefined)[] = [];
  let cancelled = 0;
  seen = (call) => {
    left.push(context()?.remainingMs());
    call.on("cancelled", () => cancelled++);
  };
  const late = await fromGo({ method: "Unary", messages: ["x"], metadata: { "x-sleep-ms": "60000" }, timeoutMs: 400 });
  expect(late.code).toBe("DeadlineExceeded");
  expect(left).toHaveLength(1);
  expect(left[0]).toBeGreaterThan(0);
  expect(left[0]).toBeLessThanOrEqual(400);
  await expect.poll(() => cancelled, { timeout: 10_000 }).toBe(1);
  await expect.poll(() => ours.inspect().inbound.inFlight, { timeout: 10_000 }).toBe(0);
});

test("what our server refuses beyond its limit of streams was not begun, and Envoy tries it elsewhere", async () => {
  let begun = 0;
  seen = () => begun++;
  const calls = Array.from({ length: CALLERS }, async (_, index) => {
    const { code, details, messages } = await fromGo({ method: "Unary", messages: [String(index)], metadata: { "x-sleep-ms": "500" } });
    return `${code} ${details}${messages}`;
  });
  expect(await Promise.all(calls)).toEqual(calls.map((_, index) => `OK ${index}`));
  expect(begun).toBe(CALLERS);
  const [connections, refused] = await Promise.all(
    ["upstream_cx_total", "upstream_rq_retry"].map((name) => envoy.stat(`cluster.ours.${name}`)),
  );
  expect(connections).toBeGreaterThan(1);
  // Envoy learns of the limit of a connection only after the first calls left on it.
  expect(refused).toBeGreaterThan(0);
});
