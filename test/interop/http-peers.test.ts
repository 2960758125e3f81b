import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { joinMesh } from "heddle";
import { afterAll, beforeAll, expect, test } from "vitest";
import { curl, type Peer, pythonFileServer } from "./peers.ts";

const LARGE = "0123456789abcdef".repeat(64 * 1024);
const folder = mkdtempSync(join(tmpdir(), "heddle-interop-"));
let python: Peer;

beforeAll(async () => {
  writeFileSync(join(folder, "small.json"), '{"from":"python"}');
  writeFileSync(join(folder, "large.txt"), LARGE);
  python = await pythonFileServer(folder);
});

afterAll(async () => {
  await python?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

function callingPython(): ReturnType<typeof joinMesh> {
  return joinMesh({ config: { apiVersion: "heddle/v1", services: { files: { endpoints: [{ address: python.address }] } } } });
}

/** A server of ours that answers with what it was asked, behind the inbound stack. */
async function listening(): Promise<{ readonly url: string } & AsyncDisposable> {
  const mesh = await joinMesh({ service: "echo", config: { apiVersion: "heddle/v1", services: { echo: {} } } });
  const { url } = await mesh.listen(
    async (req, res) => {
      let bytes = 0;
      for await (const chunk of req) bytes += (chunk as Buffer).length;
      res.setHeader("content-type", "application/json");
      res.end(JSON.stringify({ method: req.method, url: req.url, bytes }));
    },
    { host: "127.0.0.1", health: { live: "/livez", ready: "/readyz" } },
  );
  return { url, [Symbol.asyncDispose]: () => mesh.close() };
}

test("curl and Python's server understand each other, so that a failure below is ours", async () => {
  const answer = await curl(`http://${python.address}/small.json`);
  expect(answer).toMatchObject({ status: 200, body: '{"from":"python"}' });
});

test("mesh.request gets from Python's server (HTTP/1.0, ends by closing) what curl gets", async () => {
  await using mesh = await callingPython();
  for (const path of ["/small.json", "/large.txt", "/missing"]) {
    const expected = await curl(`http://${python.address}${path}`);
    const reply = await mesh.request(`http://files${path}`);
    expect(reply.status).toBe(expected.status);
    expect(await reply.text()).toBe(expected.body);
  }
});

test("mesh.fetch reads a HEAD and a megabyte from Python's server", async () => {
  await using mesh = await callingPython();
  const head = await mesh.fetch("http://files/large.txt", { method: "HEAD" });
  expect(head.headers.get("content-length")).toBe(String(LARGE.length));
  const body = await (await mesh.fetch("http://files/large.txt")).text();
  expect(body === LARGE).toBe(true);
});

test("a thousand calls over connections that Python closes after each answer do not fail", async () => {
  await using mesh = await callingPython();
  const worker = async (): Promise<void> => {
    for (let call = 0; call < 125; call++) {
      const reply = await mesh.request("http://files/small.json");
      expect(await reply.json()).toEqual({ from: "python" });
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  expect(mesh.inspect().backends.map((backend) => backend.inFlight)).toEqual([0]);
});

test("mesh.listen answers curl: GET, HEAD, a query, and health", async () => {
  await using ours = await listening();
  expect(JSON.parse((await curl(`${ours.url}/a?b=c`)).body)).toEqual({ method: "GET", url: "/a?b=c", bytes: 0 });
  expect(await curl("--head", `${ours.url}/a`)).toMatchObject({ status: 200 });
  expect(await curl(`${ours.url}/livez`)).toMatchObject({ status: 200 });
  expect(await curl(`${ours.url}/readyz`)).toMatchObject({ status: 200 });
});

test("mesh.listen takes curl's uploads: with a length, chunked, and after 100-continue", async () => {
  await using ours = await listening();
  const file = join(folder, "large.txt");
  const upload = async (...args: readonly string[]) => JSON.parse((await curl(...args, `${ours.url}/upload`)).body) as { bytes: number };
  expect(await upload("--data-binary", `@${file}`)).toMatchObject({ method: "POST", bytes: LARGE.length });
  expect(await upload("--upload-file", file, "-H", "transfer-encoding: chunked")).toMatchObject({ method: "PUT", bytes: LARGE.length });
  expect(await upload("--data-binary", `@${file}`, "-H", "expect: 100-continue")).toMatchObject({ bytes: LARGE.length });
});

test("mesh.listen keeps curl's connection for the next request, and serves HTTP/1.0", async () => {
  await using ours = await listening();
  const second = await curl(`${ours.url}/first`, `${ours.url}/second`);
  expect(second).toMatchObject({ status: 200, connections: 0 });
  expect(await curl("--http1.0", `${ours.url}/old`)).toMatchObject({ status: 200 });
});
