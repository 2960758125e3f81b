import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { createMesh, type Mesh } from "@heddle/core";
import { httpTransport, type Listener, listen } from "@heddle/http";
import { type TestCertificate, testAuthority } from "@heddle/testing/authority";
import fc from "fast-check";
import { afterAll, beforeAll, expect } from "vitest";
import { fuzzAsync } from "./fuzz.ts";

// Whoever stands between two ends changes bytes of their connection: the application gets the very request that was sent by who may, or none.

const HOST = "127.0.0.1";
const shop = testAuthority();
const [web, other] = [shop.issue("web"), shop.issue("other")];
const seen: string[] = [];
const fates = { served: 0, refused: 0 };
let mesh: Mesh;
let listener: Listener;
let between: Server;
let damage: Damage;

interface Damage {
  readonly toServer: boolean;
  /** Of the bytes in that direction. */
  readonly at: number;
  readonly kind: "flip" | "insert" | "drop" | "repeat";
  readonly value: number;
}

beforeAll(async () => {
  const inbound = { authorize: [{ name: "web", from: [{ principals: [web.id.text] }], to: [{ paths: ["/open"] }] }] };
  const config = { apiVersion: "heddle/v1", services: { reviews: { inbound } } };
  mesh = createMesh({ service: "reviews", config, transport: httpTransport(), identity: shop.source("reviews"), onProblem: () => {} });
  await mesh.ready();
  const application = ({ method, url, headers }: IncomingMessage, response: ServerResponse) => {
    seen.push(`${method} ${url} ${headers["x-who"]}`);
    response.end("served");
  };
  listener = await listen(mesh, application as never, { host: HOST });
  between = createServer((near) => {
    const far = connectTcp(listener.port, HOST);
    carry(near, far, damage.toServer ? damage : null);
    carry(far, near, damage.toServer ? null : damage);
  });
  await once(between.listen(0, HOST), "listening");
});

afterAll(async () => {
  // What does not hurt (the version of a record, a byte behind all of it) shows that the way is open.
  expect(Math.min(fates.served, fates.refused), JSON.stringify(fates)).toBeGreaterThan(0);
  between.close();
  await mesh.close({ limit: 0 });
});

function carry(from: Socket, to: Socket, wanted: Damage | null): void {
  let passed = 0;
  from.on("data", (bytes: Buffer) => {
    const at = wanted === null ? -1 : wanted.at - passed;
    passed += bytes.length;
    to.write(wanted !== null && at >= 0 && at < bytes.length ? damaged(bytes, at, wanted) : bytes);
  });
  from.on("error", () => {});
  from.on("close", () => to.destroy());
  from.on("end", () => to.end());
}

function damaged(bytes: Buffer, at: number, { kind, value }: Damage): Buffer {
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (kind) {
    case "flip":
      return Buffer.concat([before, Buffer.from([(bytes[at] ?? 0) ^ value]), after.subarray(1)]);
    case "insert":
      return Buffer.concat([before, Buffer.from([value]), after]);
    case "drop":
      return Buffer.concat([before, after.subarray(value)]);
    case "repeat":
      return Buffer.concat([before, after.subarray(0, value), after]);
  }
}

/** What was answered. An end that gets nothing more, because a length was made larger, leaves by itself. */
async function ask({ certPem: cert, keyPem: key }: TestCertificate, who: string): Promise<string> {
  const raw = connectTcp((between.address() as AddressInfo).port, HOST);
  const secure = connectTls({ socket: raw, cert, key, rejectUnauthorized: false });
  const quiet = setTimeout(() => raw.destroy(), 400);
  let received = "";
  secure.on("data", (text) => (received += String(text)));
  secure.on("error", () => {});
  raw.on("error", () => {});
  secure.write(`GET /open HTTP/1.1\r\nhost: reviews\r\nx-who: ${who}\r\nconnection: close\r\n\r\n`);
  await once(raw, "close");
  clearTimeout(quiet);
  return received;
}

const damages = fc.record<Damage>({
  toServer: fc.boolean(),
  at: fc.oneof({ weight: 3, arbitrary: fc.nat(600) }, { weight: 2, arbitrary: fc.nat(3_500) }),
  kind: fc.constantFrom("flip", "flip", "flip", "insert", "drop", "repeat"),
  value: fc.integer({ min: 1, max: 255 }),
});

fuzzAsync(
  "bytes changed on the way make nobody somebody else, and no request another",
  fc.tuple(damages, fc.boolean()),
  async ([given, isAllowed]) => {
    damage = given;
    seen.length = 0;
    const answer = await ask(isAllowed ? web : other, isAllowed ? "web" : "other");
    const wrong = seen.filter((request) => request !== "GET /open web");
    if (wrong.length > 0 || seen.length > 1 || (!isAllowed && seen.length > 0))
      throw new Error(`the application saw ${JSON.stringify(seen)}`);
    if (answer.includes("served") && seen.length === 0) throw new Error("it was answered by nobody");
    fates[seen.length > 0 ? "served" : "refused"]++;
  },
  { share: 0.01 },
);
