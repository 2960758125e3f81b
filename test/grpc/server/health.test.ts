import { type Client, status } from "@grpc/grpc-js";
import { grpcServer, listenGrpc } from "@heddle/grpc";
import { expect, test } from "vitest";
import { Echo, echoHandlers } from "./echo-service.ts";
import { check, requestOf, watch } from "./health-client.ts";
import { authority, client, served } from "./serving.ts";

const asIs = (bytes: Buffer): Buffer => bytes;

function list(caller: Client): Promise<string> {
  return new Promise((resolve) => {
    caller.makeUnaryRequest("/grpc.health.v1.Health/List", asIs, asIs, Buffer.alloc(0), (_error, answer) => resolve(String(answer)));
  });
}

test("says SERVING of the server and its services, and NOT_FOUND of others, without a line or a policy, even where TLS is strict", async () => {
  const { listener, lines, mesh } = await served(
    { mtls: "strict", authorize: [{ name: "none", action: "deny", to: [{ paths: ["/*"] }] }] },
    { identity: authority.source("reviews") },
  );
  const probe = client(listener.port);
  expect(await check(probe)).toBe("SERVING");
  expect(await check(probe, "shop.Echo")).toBe("SERVING");
  expect(await check(probe, "grpc.health.v1.Health")).toBe("SERVING");
  expect(await check(probe, "shop.Other")).toBe(status.NOT_FOUND);
  expect(await list(probe)).toContain("shop.Echo");
  expect(lines).toEqual([]);
  expect(mesh.inspect().inbound.inFlight).toBe(0);
});

test("is NOT_SERVING while a check fails, and who watches is told of each change once", async () => {
  let isUp = false;
  const { listener, mesh } = await served({}, { listen: { health: { checks: { database: () => isUp } } } });
  const probe = client(listener.port);
  expect(await check(probe)).toBe("NOT_SERVING");
  const [all, unknown] = [watch(probe, ""), watch(probe, "shop.Other")];
  await expect.poll(() => all.told).toEqual(["NOT_SERVING"]);
  isUp = true;
  await expect.poll(() => all.told, { timeout: 10_000 }).toEqual(["NOT_SERVING", "SERVING"]);
  void mesh.close({ drain: 300, limit: 5_000 });
  await expect.poll(() => all.told).toEqual(["NOT_SERVING", "SERVING", "NOT_SERVING"]);
  expect(await all.ended).toBe(status.OK);
  expect(await unknown.ended).toBe(status.OK);
  expect(unknown.told).toEqual(["SERVICE_UNKNOWN"]);
});

test("bytes that are no request are INTERNAL, and fields that nobody knows are passed over", async () => {
  const { listener } = await served({});
  const probe = client(listener.port);
  const ask = (message: Buffer) =>
    new Promise((resolve) => {
      probe.makeUnaryRequest("/grpc.health.v1.Health/Check", asIs, asIs, message, (error) => resolve(error?.code ?? status.OK));
    });
  for (const broken of [[0x0a, 9, 1], [0x0a], [0x0f, 1], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]])
    expect(await ask(Buffer.from(broken))).toBe(status.INTERNAL);
  const unknown = Buffer.from([0x10, 0xff, 0x01, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x22, 1, 7, 0x2d, 1, 2, 3, 4]);
  expect(await ask(Buffer.concat([unknown, requestOf("shop.Echo"), unknown]))).toBe(status.OK);
});

test("the application's own health service stays, behind the policies; with false there is none", async () => {
  const { mesh, lines } = await served({});
  const own = grpcServer();
  own.addService(Echo, echoHandlers());
  own.register(
    "/grpc.health.v1.Health/Check",
    ((_call: unknown, answer: (error: null, value: Buffer) => void) => answer(null, Buffer.from([8, 2]))) as never,
    asIs,
    asIs,
    "unary",
  );
  const { port } = await listenGrpc(mesh, own, { host: "127.0.0.1" });
  expect(await check(client(port))).toBe("NOT_SERVING");
  await expect.poll(() => lines).toHaveLength(1);
  const without = await listenGrpc(mesh, grpcServer(), { host: "127.0.0.1", health: false });
  expect(await check(client(without.port))).toBe(status.UNIMPLEMENTED);
});
