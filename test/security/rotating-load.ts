import { once } from "node:events";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { createMesh, type Mesh } from "@heddle/core";
import { httpTransport, listen, MeshDispatcher, meshRequest } from "@heddle/http";
import { type TestAuthority, type TestCertificateSource, testAuthority } from "@heddle/testing/authority";

export interface RotatingLoad {
  readonly protocol: "http1" | "http2";
  readonly seconds: number;
  readonly concurrency: number;
  readonly rotateEveryMs: number;
}

export interface RotatingResult {
  readonly requests: number;
  readonly failures: readonly string[];
  /** Certificates and roots that the caller has had. */
  readonly generations: number;
  /** Of the caller's certificates, as the server saw them in handshakes. */
  readonly serials: readonly string[];
  readonly handshakes: number;
}

/** What serves, and tells which certificates it was shown. */
interface Serving {
  readonly address: string;
  /** Serials of the callers' certificates, one a connection. */
  readonly shown: readonly string[];
  close(): Promise<void>;
}

const HOST = "127.0.0.1";

/**
 * Calls again and again while both sides get another certificate every so often, and the root is replaced in the middle: the old one and
 * the new one together, a rotation later the new one alone.
 */
export async function rotatingLoad(load: RotatingLoad): Promise<RotatingResult> {
  const authority = testAuthority();
  const [ours, theirs] = [authority.source("web"), authority.source("reviews")];
  const serving = await (load.protocol === "http1" ? meshServer : http2Server)(authority, theirs);
  const client = createMesh({
    service: "web",
    config: documentOf(authority, serving.address, load.protocol),
    transport: httpTransport(),
    identity: ours,
  });
  await client.ready();
  const rotations = rotating(load, authority, [ours, theirs]);
  const { requests, failures } = await calling(client, load);
  clearInterval(rotations);
  const generations = client.inspect().identity?.generation ?? 0;
  await client.close();
  await serving.close();
  return { requests, failures, generations, serials: [...new Set(serving.shown)], handshakes: serving.shown.length };
}

function documentOf(authority: TestAuthority, address: string | null, protocol: RotatingLoad["protocol"]): object {
  return {
    apiVersion: "heddle/v1",
    mesh: { trustDomain: authority.trustDomain, identityTemplate: "spiffe://{trustDomain}/{service}" },
    services: {
      web: {},
      reviews: {
        protocol,
        endpoints: address === null ? [] : [{ address }],
        inbound: { authorize: [{ name: "web", from: [{ principals: [authority.id("web").text] }] }] },
      },
    },
  };
}

async function meshServer(authority: TestAuthority, identity: TestCertificateSource): Promise<Serving> {
  const mesh = createMesh({ service: "reviews", config: documentOf(authority, null, "http1"), transport: httpTransport(), identity });
  await mesh.ready();
  const shown: string[] = [];
  const known = new WeakSet<object>();
  const { port } = await listen(
    mesh,
    ({ socket }, response) => {
      if (!known.has(socket)) shown.push(serialOf(socket));
      known.add(socket);
      response.end("{}");
    },
    { host: HOST },
  );
  return { address: `${HOST}:${port}`, shown, close: () => mesh.close() };
}

/** Not the mesh's own: it serves no HTTP/2. */
async function http2Server(authority: TestAuthority, source: TestCertificateSource): Promise<Serving> {
  const options = () => ({
    cert: source.current.certPem,
    key: source.current.keyPem,
    ca: authority.bundlePem(),
    requestCert: true,
    rejectUnauthorized: true,
  });
  const server: Http2SecureServer = createSecureServer({ ...options(), allowHTTP1: false });
  const shown: string[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const update = () => {
    server.setSecureContext(options());
    // As servers do that want to be proved to anew: no stream that is open is cut.
    for (const session of sessions) session.close();
  };
  const forget = source.watch({ update, problem: () => {} });
  server.on("session", (session) => {
    sessions.add(session);
    shown.push(serialOf(session.socket));
    session.on("error", () => {});
    session.on("close", () => sessions.delete(session));
  });
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    stream.respond({ ":status": 200 });
    stream.end("{}");
  });
  await once(server.listen(0, HOST), "listening");
  const close = async (): Promise<void> => {
    forget();
    for (const session of sessions) session.destroy();
    await new Promise((closed) => server.close(closed));
  };
  return { address: `${HOST}:${(server.address() as AddressInfo).port}`, shown, close };
}

function serialOf(socket: object): string {
  // A session shows a socket that stands before the real one, and of no class.
  const secure = socket as TLSSocket;
  return secure.getPeerCertificate?.().serialNumber ?? "none";
}

function rotating(load: RotatingLoad, authority: TestAuthority, sources: readonly TestCertificateSource[]): NodeJS.Timeout {
  const middle = Math.floor((load.seconds * 500) / load.rotateEveryMs);
  let rotations = 0;
  return setInterval(() => {
    rotations++;
    if (rotations === middle) authority.replaceRoot();
    else if (rotations === middle + 1) authority.retireOldRoots();
    else for (const source of sources) source.rotate();
  }, load.rotateEveryMs);
}

async function calling(client: Mesh, { seconds, concurrency }: RotatingLoad): Promise<Pick<RotatingResult, "requests" | "failures">> {
  const request = meshRequest(client, new MeshDispatcher(client));
  const endsAt = performance.now() + seconds * 1_000;
  const failures: string[] = [];
  let requests = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < endsAt) {
      try {
        const reply = await request("http://reviews/");
        await reply.bytes();
        if (reply.status !== 200) failures.push(`answered ${reply.status}`);
      } catch (error) {
        failures.push(String(error));
      }
      requests++;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  return { requests, failures: failures.slice(0, 20) };
}
