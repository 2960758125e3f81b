import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Channel, createMesh, type MeshResponse, TransportFailure } from "@heddle/core";
import { httpTransport, meshRequest } from "@heddle/http";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { Envoy } from "../../bench/envoy.ts";
import { findEnvoy, thisMachine } from "../../bench/envoy-binary.ts";
import { LiveAuthority, overTls, TestClientTls, WEB } from "../../packages/http/test/tls.ts";
import { authority, mutual, openChannel, ours, requestTo } from "../front-doors/tls-peers.ts";

const EXTENSIONS = "type.googleapis.com/envoy.extensions";
const ANY_PORT = { socket_address: { address: "127.0.0.1", port_value: 0 } };
const MOST_STREAMS = 4;

let upstream: Server;
let envoy: Envoy;
/** In the clear; with mutual TLS; with connections that last 300 ms. */
let [plain, secure, leaving] = ["", "", ""];

const inline = (value: unknown) => ({ inline_string: String(value) });

const TLS = {
  name: "envoy.transport_sockets.tls",
  typed_config: {
    "@type": `${EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext`,
    require_client_certificate: true,
    common_tls_context: {
      alpn_protocols: ["h2"],
      tls_certificates: [{ certificate_chain: inline(mutual.cert), private_key: inline(mutual.key) }],
      validation_context: { trusted_ca: inline(mutual.ca) },
    },
  },
};

function listener(name: string, hasTls: boolean, options: object) {
  const manager = {
    "@type": `${EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    codec_type: "HTTP2",
    http2_protocol_options: { max_concurrent_streams: MOST_STREAMS },
    route_config: { virtual_hosts: [{ name, domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "echo" } }] }] },
    http_filters: [{ name: "envoy.filters.http.router", typed_config: { "@type": `${EXTENSIONS}.filters.http.router.v3.Router` } }],
    ...options,
  };
  const filters = [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }];
  return { name, address: ANY_PORT, filter_chains: [{ filters, ...(hasTls && { transport_socket: TLS }) }] };
}

beforeAll(async () => {
  upstream = createServer((request, response) => void request.pipe(response)).listen(0, "127.0.0.1");
  await new Promise((resolve) => upstream.once("listening", resolve));
  const { port } = upstream.address() as AddressInfo;
  const endpoint = { address: { socket_address: { address: "127.0.0.1", port_value: port } } };
  const { command } = await findEnvoy(thisMachine(() => {}));
  envoy = await Envoy.start(command, {
    admin: { address: ANY_PORT },
    static_resources: {
      listeners: [
        listener("plain", false, {}),
        listener("secure", true, {}),
        listener("leaving", true, { common_http_protocol_options: { max_connection_duration: "0.3s" }, drain_timeout: "0.1s" }),
      ],
      clusters: [
        {
          name: "echo",
          type: "STATIC",
          connect_timeout: "5s",
          load_assignment: { cluster_name: "echo", endpoints: [{ lb_endpoints: [{ endpoint }] }] },
        },
      ],
    },
  });
  [plain, secure, leaving] = envoy.listeners as [string, string, string];
}, 240_000);

afterAll(async () => {
  await envoy?.stop();
  upstream?.closeAllConnections();
  upstream?.close();
});

function textOf({ body }: MeshResponse): Promise<string> {
  const chunks: Uint8Array[] = [];
  return new Promise((resolve, reject) =>
    body.attach({ data: (chunk) => void chunks.push(chunk), end: () => resolve(Buffer.concat(chunks).toString()), fail: reject }),
  );
}

async function echoOf(channel: Channel, text: string): Promise<string> {
  async function* parts() {
    for (let at = 0; at < text.length; at += 10_000) yield text.slice(at, at + 10_000);
  }
  const response = await channel.send(requestTo("reviews", { method: "POST", body: parts() }));
  return `${response.status === 200 ? "" : response.status}${await textOf(response)}`;
}

test.each([
  ["in the clear", () => ({ address: plain, tls: null })],
  ["with mutual TLS", () => ({ address: secure, tls: new TestClientTls(ours) })],
])("Envoy's limit of streams is kept and bodies arrive whole, %s", async (_, peer) => {
  const channel = openChannel({ protocol: "http2", ...peer() });
  const texts = Array.from({ length: 24 }, (_, index) => String.fromCharCode(65 + index).repeat(100_000));
  const echoes = await Promise.all(texts.map((text) => echoOf(channel, text)));
  // Not compared as they are: a hundred kilobytes of one letter tell a reader nothing.
  expect(echoes.map((text) => `${text.length} ${[...new Set(text)]}`)).toEqual(texts.map((text) => `100000 ${text[0]}`));
  expect(channel.connections()).toBe(1);
  await channel.close();
  expect(channel.connections()).toBe(0);
});

test.each([
  ["another authority", "another authority", "unknown ca"],
  ["an authority of the same name", undefined, "decrypt error"],
])("Envoy refuses a certificate of %s in an alert, which is said, and nothing was sent", async (_, subject, alert) => {
  const strange = new TestClientTls({ ...new LiveAuthority(subject).issue(WEB), ca: authority.root.pem });
  const request = requestTo("reviews");
  const failure = await openChannel({ address: secure, protocol: "http2", tls: strange })
    .send(request)
    .catch((reason: unknown) => reason);
  expect(failure).toBeInstanceOf(TransportFailure);
  expect(failure).toMatchObject({ kind: "connect-failure" });
  expect((failure as Error).message).toContain(
    `the server refused the certificate of this process (TLS alert ${alert}): ours is ${WEB}, until `,
  );
  expect(request.attempt?.wasSent).toBe(false);
});

test("Envoy that goes away every 300 ms costs no request, whatever its method", async () => {
  const mesh = createMesh({
    config: { apiVersion: "heddle/v1", services: { reviews: { endpoints: [{ address: leaving }] } } },
    transport: overTls(httpTransport(), new TestClientTls(ours), "http2"),
  });
  onTestFinished(() => mesh.close({ limit: 0 }));
  await mesh.ready();
  const request = meshRequest(mesh);
  const endsAt = performance.now() + 3_000;
  let calls = 0;
  const callers = Array.from({ length: 16 }, async (_, caller) => {
    while (performance.now() < endsAt) {
      const reply = await request("http://reviews/", { method: "POST", body: `from ${caller}` });
      expect([reply.status, await reply.text()]).toEqual([200, `from ${caller}`]);
      calls++;
    }
  });
  await Promise.all(callers);
  expect(calls).toBeGreaterThan(100);
  expect(await envoy.stat("http.leaving.downstream_cx_total")).toBeGreaterThan(3);
});
