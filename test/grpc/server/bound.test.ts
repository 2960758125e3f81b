import { ChannelCredentials, type Client, Metadata, Server, status } from "@grpc/grpc-js";
import { context } from "@heddle/core";
import { serverCredentials } from "@heddle/grpc";
import { testAuthority } from "@heddle/testing/authority";
import { describe, expect, onTestFinished, test } from "vitest";
import { inboundPolicyOf, snapshotOf } from "../../../packages/core/test/builders.ts";
import { handSource } from "../../../packages/core/test/hand-source.ts";
import { call, Echo, type EchoHandlers, echoHandlers, type Method, started } from "./echo-service.ts";
import { authority, client, provingTo, type ServedEcho, type ServingOptions, served } from "./serving.ts";

type Mode = "strict" | "permissive" | "disable";

interface Bound extends ServedEcho {
  readonly port: number;
  edit(mode: Mode): void;
}

/** A server of the application's own, bound by itself with the credentials of a mesh. */
async function bound(mode: Mode, handlers: Partial<EchoHandlers> = {}, options: ServingOptions = {}): Promise<Bound> {
  const snapshot = (mtls: Mode) => snapshotOf({ inboundPolicies: [inboundPolicyOf("reviews", { mtls })] });
  const source = handSource(snapshot(mode));
  const running = await served({}, { config: source as never, identity: authority.source("reviews"), ...options });
  const port = await bind(running, handlers);
  return { ...running, port, edit: (next) => source.update(snapshot(next)) };
}

async function bind({ mesh }: Pick<ServedEcho, "mesh">, handlers: Partial<EchoHandlers>): Promise<number> {
  const server = new Server();
  server.addService(Echo, echoHandlers(handlers));
  onTestFinished(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", serverCredentials(mesh), (error, port) => (error ? reject(error) : resolve(port)));
  });
}

const whoCalls: Partial<EchoHandlers> = {
  Say: async (_call, answer) => {
    await new Promise((later) => setImmediate(later));
    answer(null, { text: context()?.peer?.spiffeId ?? "nobody" });
  },
};
const web = authority.id("web").text;
const who = async (caller: Client) => {
  const { code, texts } = await call(caller, "Say", [""]);
  return code === status.OK ? texts[0] : code;
};

test("strict serves calls of all kinds of who proves an identity, in the scope of each, with a line for each", async () => {
  const scopes = new Set<unknown>();
  const look = () => scopes.add(context()?.peer?.spiffeId);
  const { port, lines, inFlight } = await bound("strict", {
    ...whoCalls,
    Gather: (stream, answer) => {
      stream.on("data", look);
      stream.on("end", () => answer(null, { text: "" }));
    },
    Talk: (stream) => {
      look();
      stream.on("data", (said) => stream.write(said) && look());
      stream.on("end", () => stream.end());
    },
  });
  const caller = client(port, provingTo(authority, "web"));
  expect(await who(caller)).toBe(web);
  for (const name of ["Gather", "Spread", "Talk"] as const) expect((await call(caller, name, ["one", "two"])).code).toBe(status.OK);
  expect([...scopes]).toEqual([web]);
  await expect.poll(() => lines).toHaveLength(4);
  expect(lines[0]).toMatchObject({ path: "/shop.Echo/Say", peer_id: web, status: 200 });
  await expect.poll(inFlight).toBe(0);
});

test("strict refuses strangers and nobody at their first call, and runs no handler", async () => {
  let runs = 0;
  const { port, lines, mesh } = await bound("strict", { Say: () => runs++ });
  const { certPem, keyPem } = testAuthority().issue("web");
  const anybody = { checkServerIdentity: () => undefined };
  const roots = Buffer.from(authority.bundlePem());
  const impostor = ChannelCredentials.createSsl(roots, Buffer.from(keyPem), Buffer.from(certPem), anybody);
  const nobody = ChannelCredentials.createSsl(roots, null, null, anybody);
  for (const credentials of [impostor, nobody]) expect(await who(client(port, credentials))).toBe(status.UNAUTHENTICATED);
  expect(await who(client(port))).toBe(status.UNAVAILABLE);
  expect(runs).toBe(0);
  expect(lines).toMatchObject([{ outcome: expect.anything() }, {}]);
  expect(mesh.inspect().inbound.refusedConnections).toBe(2);
});

test("disable serves plain text, and an edit to strict refuses each call of it", async () => {
  const { port, edit } = await bound("disable", whoCalls);
  const caller = client(port);
  expect(await who(caller)).toBe("nobody");
  edit("strict");
  expect(await who(caller)).toBe(status.UNAUTHENTICATED);
  edit("disable");
  await expect.poll(() => who(caller)).toBe("nobody");
});

test("permissive is refused where the credentials are made, and where a server is bound with older ones, with what does it", async () => {
  const { mesh } = await bound("disable").then(({ edit, mesh }) => {
    const older = serverCredentials(mesh);
    edit("permissive");
    return { mesh: Object.assign(mesh, { older }) };
  });
  expect(() => serverCredentials(mesh)).toThrow(/permissive.*mesh\.listen/);
  const server = new Server();
  const error = await new Promise((resolve) => server.bindAsync("127.0.0.1:0", mesh.older, resolve));
  expect(String(error)).toMatch(/permissive.*mesh\.listen/);
});

test("new connections get the certificate in force after a rotation, and streams of old ones go on", async () => {
  const identity = authority.source("reviews");
  const { port } = await bound("strict", whoCalls, { identity });
  const serials = new Set<string>();
  const roots = Buffer.from(authority.bundlePem());
  const { certPem, keyPem } = authority.issue("web");
  const credentials = () =>
    ChannelCredentials.createSsl(roots, Buffer.from(keyPem), Buffer.from(certPem), {
      checkServerIdentity: (_host, certificate) => void serials.add(certificate.serialNumber),
    });
  const stream = started(client(port, credentials()), "Talk", ["one"], {}, true);
  await stream.first;
  identity.rotate();
  expect(await who(client(port, credentials()))).toBe(web);
  expect(serials.size).toBe(2);
  stream.send("two");
  stream.send(null);
  expect(await stream.outcome).toMatchObject({ code: status.OK, texts: ["one", "two"] });
});

describe("policies", () => {
  const inbound = { authorize: [{ name: "say", to: [{ paths: ["/shop.Echo/Say"] }] }] };

  test("hold for each call: what no rule allows is PERMISSION_DENIED with a line, and identity headers of strangers are gone", async () => {
    const seen: Record<string, unknown>[] = [];
    let runs = 0;
    const running = await served(inbound);
    const port = await bind(running, {
      Say: ({ metadata, request }, answer) => {
        seen.push(metadata.getMap());
        answer(null, request);
      },
      Talk: () => runs++,
    });
    const metadata = new Metadata();
    metadata.set("x-forwarded-client-cert", "URI=spiffe://shop.test/admin");
    metadata.set("x-kept", "yes");
    metadata.set("x-raw-bin", Buffer.from([0, 255]));
    const caller = client(port);
    const codes = [];
    for (const name of ["Say", "Gather", "Spread", "Talk"] satisfies Method[])
      codes.push((await call(caller, name, ["one"], { metadata })).code);
    expect(codes).toEqual([status.OK, status.PERMISSION_DENIED, status.PERMISSION_DENIED, status.PERMISSION_DENIED]);
    expect(seen).toEqual([expect.not.objectContaining({ "x-forwarded-client-cert": expect.anything() })]);
    expect(seen[0]).toMatchObject({ "x-kept": "yes", "x-raw-bin": Buffer.from([0, 255]) });
    expect(runs).toBe(0);
    await expect.poll(() => running.lines).toHaveLength(4);
    await expect.poll(running.inFlight).toBe(0);
  });

  test("closing the mesh sends GOAWAY, and lets calls under way finish", async () => {
    const running = await served({});
    const port = await bind(running, {});
    const stream = started(client(port), "Talk", ["one"], {}, true);
    await stream.first;
    const closed = running.mesh.close({ limit: 10_000 });
    stream.send("two");
    stream.send(null);
    expect(await stream.outcome).toMatchObject({ code: status.OK, texts: ["one", "two"] });
    await closed;
    expect(running.inFlight()).toBe(0);
  });

  test("cancelled calls and deadlines leave nothing in flight", async () => {
    const running = await served({});
    const signals: (AbortSignal | undefined)[] = [];
    const port = await bind(running, { Say: () => void signals.push(context()?.signal) });
    const caller = client(port);
    const held = started(caller, "Say", ["one"], {});
    await expect.poll(() => signals.length).toBe(1);
    expect(running.inFlight()).toBe(1);
    held.cancel();
    expect((await held.outcome).code).toBe(status.CANCELLED);
    expect((await call(caller, "Say", ["one"], { deadline: Date.now() + 200 })).code).toBe(status.DEADLINE_EXCEEDED);
    await expect.poll(running.inFlight).toBe(0);
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, true]);
  });
});
