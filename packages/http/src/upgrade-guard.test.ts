import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import type { ServingMesh } from "./node-serving.ts";
import { guardUpgrades } from "./upgrade-guard.ts";

test("upgrades and CONNECT are refused as soon as a layer guards the way in, also one that came later", () => {
  const problems: string[] = [];
  const mesh = { isGuarded: false, reportProblem: ({ message }: { message: string }) => problems.push(message) };
  const server = new EventEmitter();
  const seen: string[] = [];
  for (const name of ["upgrade", "connect", "request"]) server.on(name, () => seen.push(name));
  guardUpgrades(mesh as unknown as ServingMesh, server);
  guardUpgrades(mesh as unknown as ServingMesh, server);
  const offer = (name: string) => {
    const socket = new PassThrough();
    server.emit(name, {}, socket, Buffer.alloc(0));
    return String(socket.read() ?? "");
  };
  expect(offer("upgrade")).toBe("");
  expect(seen).toEqual(["upgrade"]);
  mesh.isGuarded = true;
  expect(offer("upgrade")).toMatch(/^HTTP\/1\.1 403 /);
  expect(offer("connect")).toMatch(/^HTTP\/1\.1 403 /);
  server.emit("request", {}, {});
  expect(seen).toEqual(["upgrade", "request"]);
  expect(problems).toHaveLength(2);
});
