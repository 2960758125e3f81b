import { once } from "node:events";
import { createServer } from "node:net";
import { createMesh, type Mesh, meshError, type Problem, staticSource } from "@heddle/core";
import { httpTransport, MeshDispatcher, meshRequest } from "@heddle/http";
import { expect, onTestFinished, test } from "vitest";

// A process that forgot its identity, and a document that says of the callee that it is strict.

const MESH = { trustDomain: "shop.example", identityTemplate: "spiffe://{trustDomain}/{service}" };

/** What came in clear, at an endpoint that speaks no TLS. */
async function listening(): Promise<{ readonly port: number; readonly heard: () => string }> {
  let heard = "";
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      heard += bytes.toString("latin1");
      socket.destroy();
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  return { port: (server.address() as { port: number }).port, heard: () => heard };
}

function documentOf(port: number, orders: object): object {
  const endpoints = [{ address: `127.0.0.1:${port}` }];
  return { apiVersion: "heddle/v1", mesh: MESH, services: { web: {}, orders: { endpoints, ...orders } } };
}

async function web(config: object): Promise<{ readonly mesh: Mesh; readonly problems: readonly Problem[] }> {
  const problems: Problem[] = [];
  const onProblem = (problem: Problem): void => void problems.push(problem);
  const mesh = createMesh({ service: "web", config, transport: httpTransport(), onProblem });
  onTestFinished(() => mesh.close({ limit: 0 }));
  await mesh.ready();
  return { mesh, problems };
}

const call = (mesh: Mesh): Promise<string> =>
  meshRequest(mesh, new MeshDispatcher(mesh))("http://orders/1", { headers: { authorization: "Bearer SECRET" } }).then(
    ({ status }) => String(status),
    (error: unknown) => `${meshError(error)?.code}: ${meshError(error)?.message}`,
  );

test.each(["http1", "http2"])("to a strict service it sends nothing, and says so at the start and in explain (%s)", async (protocol) => {
  const { port, heard } = await listening();
  const { mesh, problems } = await web(documentOf(port, { protocol, inbound: { mtls: "strict" } }));
  expect(problems.map(({ severity, message }) => `${severity}: ${message}`)).toEqual([
    expect.stringMatching(/^warning: service orders: inbound\.mtls is strict, and this process has no identity to show/),
  ]);
  expect(await call(mesh)).toMatch(/^no_identity: .*this process has no identity to show: give joinMesh an `identity` \(service orders, /);
  expect(mesh.explain({ url: "http://orders/1" }).decision).toMatchObject({ backends: [{ refuses: "no_identity" }] });
  expect(heard()).toBe("");
});

test("an edit that makes a service strict ends plain text to it", async () => {
  const { port, heard } = await listening();
  const source = staticSource(documentOf(port, {}));
  const { mesh, problems } = await web(source);
  expect(await call(mesh)).toMatch(/^connection_reset|^connect_failed/);
  expect(heard()).toContain("SECRET");
  const before = heard();
  source.update(documentOf(port, { inbound: { mtls: "strict" } }));
  expect(problems).toHaveLength(1);
  expect(await call(mesh)).toMatch(/^no_identity: /);
  expect(heard()).toBe(before);
});

test("where the document says that something else speaks TLS, it is believed", async () => {
  const { port, heard } = await listening();
  const { mesh, problems } = await web(documentOf(port, { inbound: { mtls: "strict" }, tls: { mode: "disable" } }));
  await call(mesh);
  expect(problems).toEqual([]);
  expect(heard()).toContain("SECRET");
});
