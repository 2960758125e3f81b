import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Installation, install, root } from "./installation.ts";

const UMBRELLA = ["heddle", "core", "http", "express-adapter", "fastify-adapter", "spiffe"].map((name) => `packages/${name}`);
let project: Installation;

beforeAll(() => {
  project = install(UMBRELLA);
});

afterAll(() => project[Symbol.dispose]());

test("gRPC without its package fails with the command that installs it", () => {
  project.write(
    "app.mjs",
    `import { joinMesh } from "heddle";
     const mesh = await joinMesh({ service: "a", config: { apiVersion: "heddle/v1", services: { a: {} } } });
     const server = { addService() {}, bindAsync() {} };
     for (const ask of [() => mesh.grpcOptions(), () => mesh.grpc(class {}, "a"), () => mesh.grpcServer(), () => mesh.grpcServerCredentials(), () => mesh.listen(server)])
       console.log(await Promise.resolve().then(ask).catch((error) => error.message));
     await mesh.close();`,
  );
  const said = project.node("app.mjs").trim().split("\n");
  expect(said).toHaveLength(5);
  for (const [index, asked] of ["mesh.grpcOptions", "mesh.grpc", "mesh.grpcServer", "mesh.grpcServerCredentials", "mesh.listen"].entries())
    expect(said[index]).toMatch(new RegExp(`^${asked} needs @heddle/grpc and @grpc/grpc-js: npm install @heddle/grpc @grpc/grpc-js \\(`));
});

test("the umbrella as built serves a gRPC server, with scope, policies and health", () => {
  const script = join(root, "test/packaging/.grpc-app.mjs");
  writeFileSync(
    script,
    `import { Client, credentials } from "@grpc/grpc-js";
     import { context, joinMesh } from "heddle";
     const inbound = { authorize: [{ name: "say", to: [{ paths: ["/a.B/Say"] }] }] };
     const mesh = await joinMesh({ service: "a", config: { apiVersion: "heddle/v1", services: { a: { inbound } } } });
     const bytes = (message) => message;
     const codec = { requestStream: false, responseStream: false, requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes };
     const server = mesh.grpcServer();
     server.addService({ Say: { path: "/a.B/Say", ...codec } }, { Say: (call, answer) => answer(null, Buffer.from(String(context() !== undefined))) });
     const { port } = await mesh.listen(server, { host: "127.0.0.1" });
     const client = new Client("127.0.0.1:" + port, credentials.createInsecure());
     const ask = (path) => new Promise((told) => client.makeUnaryRequest(path, bytes, bytes, Buffer.alloc(0), (error, answer) => told(error?.code ?? answer.toString("latin1"))));
     console.log(JSON.stringify([await ask("/a.B/Say"), await ask("/a.B/Nope"), await ask("/grpc.health.v1.Health/Check")]));
     client.close();
     await mesh.close();`,
  );
  try {
    const said = execFileSync(process.execPath, [script], { encoding: "utf8", timeout: 60_000 });
    expect(JSON.parse(said)).toEqual(["true", 7, "\b\u0001"]);
  } finally {
    rmSync(script);
  }
});
