import { getEventListeners } from "node:events";
import http from "node:http";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { JoinedMesh } from "heddle";
import undici from "undici";
import { expect, onTestFinished, test } from "vitest";
import { inFlight, join, type LoopbackServer, pause, serve } from "../../front-doors/setup.ts";
import { type SystemConnect, systemAnswers, timesTried } from "../process/system-connect.ts";

const REASON = new Error("the user left");

interface Call {
  readonly service: string;
  readonly signal: AbortSignal;
  readonly body?: Readable;
}

type FrontDoor = (mesh: JoinedMesh, call: Call) => Promise<string>;

/** Every front door that takes an AbortSignal; each reads the body. */
const FRONT_DOORS: Record<string, FrontDoor> = {
  "mesh.request": async (mesh, { service, signal, body }) =>
    (await mesh.request(`http://${service}/`, { signal, ...(body && { body, method: "PUT" }) })).text(),
  "mesh.request, as a stream": async (mesh, { service, signal, body }) =>
    text((await mesh.request(`http://${service}/`, { signal, ...(body && { body, method: "PUT" }) })).stream()),
  "a handle": (mesh, { service, signal, body }) =>
    mesh
      .service(service)
      .request("/", { signal, ...(body && { body, method: "PUT" }) })
      .text(),
  "mesh.fetch": async (mesh, { service, signal, body }) =>
    (await mesh.fetch(`http://${service}/`, { signal, ...(body && { body, method: "PUT", duplex: "half" }) } as RequestInit)).text(),
  "undici.request": async (mesh, { service, signal, body }) =>
    (
      await undici.request(`http://${service}/`, { dispatcher: mesh.dispatcher, signal, ...(body && { body, method: "PUT" as const }) })
    ).body.text(),
  "http.request": (mesh, { service, signal, body }) =>
    new Promise((resolve, reject) => {
      const request = http.request(`http://${service}/`, { agent: mesh.agent(), signal, method: body ? "PUT" : "GET" }, (response) => {
        text(response).then(resolve, reject);
      });
      request.on("error", reject);
      if (body) body.pipe(request);
      else request.end();
    }),
};

/** Node and undici make an AbortError of it, with the reason as its cause; the mesh's own doors give the reason itself. */
function reasonOf(error: unknown, way: string): unknown {
  if (way === "http.request") return (error as Error).cause;
  return error;
}

interface Stage {
  readonly service: string;
  /** Waits until the call is at this stage. */
  readonly reached: (mesh: JoinedMesh) => Promise<void>;
  readonly uploads?: boolean;
  /** Ways that do not come to this stage: what node:http writes is tried once. */
  readonly except?: readonly string[];
}

interface Setting {
  readonly head: LoopbackServer;
  readonly body: LoopbackServer;
  readonly failing: LoopbackServer;
}

async function setting(): Promise<Setting> {
  return {
    head: await serve((request) => void request.resume()),
    body: await serve((_request, response) => void response.write("part")),
    failing: await serve((request, response) => {
      request.resume();
      response.writeHead(503).end();
    }),
  };
}

function joinAll({ head, body, failing }: Setting): Promise<JoinedMesh> {
  const endpoints = (address: string) => ({ endpoints: [{ address }], outlier: { consecutiveFailures: 1 } });
  return join([head.address], {
    reviews: { outlier: { consecutiveFailures: 1 }, retry: {} },
    services: {
      slots: { ...endpoints(head.address), limits: { maxConnections: 1 } },
      body: { ...endpoints(body.address), retry: {} },
      empty: { endpoints: [], whenEmpty: { wait: "1m" } },
      failing: { ...endpoints(failing.address), retry: { on: [503], backoff: { base: "1m", max: "1m" } }, outlier: "off" },
    },
  });
}

const soon = (check: () => unknown) => expect.poll(check, { timeout: 5_000, interval: 5 });

function stages({ head, body, failing }: Setting, connecting: SystemConnect | null): Record<string, Stage> {
  return {
    "waiting for an endpoint": { service: "empty", reached: () => pause(20) },
    "waiting for a connection slot": { service: "slots", reached: () => pause(20) },
    connecting: {
      service: "reviews",
      reached: () => soon(() => timesTried(connecting as SystemConnect)).toBe(1),
    },
    "sending its body": {
      service: "reviews",
      uploads: true,
      reached: () =>
        soon(head.requests)
          .toBeGreaterThan(0)
          .then(() => pause(10)),
    },
    "waiting for the head": { service: "reviews", reached: () => soon(head.requests).toBeGreaterThan(0) },
    "waiting between tries": {
      service: "failing",
      reached: () =>
        soon(failing.requests)
          .toBeGreaterThan(0)
          .then(() => pause(20)),
      except: ["http.request"],
    },
    "reading the body": {
      service: "body",
      reached: () =>
        soon(body.requests)
          .toBeGreaterThan(0)
          .then(() => pause(20)),
    },
  };
}

/** Gives a chunk and then nothing more. */
function endlessBody(): Readable {
  let isGiven = false;
  return new Readable({
    read() {
      if (!isGiven) this.push("first");
      isGiven = true;
    },
  });
}

const cases = [
  "waiting for an endpoint",
  "waiting for a connection slot",
  "connecting",
  "sending its body",
  "waiting for the head",
  "waiting between tries",
  "reading the body",
].flatMap((stage) => Object.keys(FRONT_DOORS).map((way) => ({ stage, way })));

test.each(cases)("a caller that leaves while $stage, by $way, gets its reason back and leaves nothing behind", async ({ stage, way }) => {
  const given = await setting();
  const { service, reached, uploads, except } = stages(given, stage === "connecting" ? systemAnswers("SILENCE", [given.head]) : null)[
    stage
  ] as Stage;
  if (except?.includes(way)) return;
  const mesh = await joinAll(given);
  const occupant = service === "slots" ? new AbortController() : null;
  // Of the pool and of the agent, each of which has its own connection.
  const occupying = occupant
    ? ["mesh.request", "http.request"].map((door) =>
        (FRONT_DOORS[door] as FrontDoor)(mesh, { service, signal: occupant.signal }).catch(() => {}),
      )
    : [];
  if (occupant) await soon(given.head.requests).toBe(2);
  const controller = new AbortController();
  const before = given.head.requests() + given.body.requests() + given.failing.requests();
  const call = (FRONT_DOORS[way] as FrontDoor)(mesh, { service, signal: controller.signal, ...(uploads && { body: endlessBody() }) });
  const failure = call.then(
    () => "answered",
    (error: unknown) => error,
  );
  await reached(mesh);
  const tries = given.head.requests() + given.body.requests() + given.failing.requests();
  controller.abort(REASON);
  expect(reasonOf(await failure, way)).toBe(REASON);
  occupant?.abort(REASON);
  await Promise.all(occupying);

  await soon(() => inFlight(mesh)).toBe(0);
  expect(given.head.requests() + given.body.requests() + given.failing.requests()).toBe(Math.max(tries, before));
  for (const { name, pending, endpoints, retryBudget } of mesh.inspect().backends) {
    expect({ name, pending }).toEqual({ name, pending: 0 });
    for (const { state, failures } of endpoints)
      expect({ name, state, failures: name === "failing" ? 0 : failures }).toEqual({ name, state: "ready", failures: 0 });
    // The reserve, and the one retry that was about to be made.
    expect(retryBudget.available, name).toBeGreaterThanOrEqual(name === "failing" ? 9 : 10);
  }
  expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
});

test.each(Object.keys(FRONT_DOORS))("a caller that left before it began sends nothing, by %s", async (way) => {
  const given = await setting();
  const mesh = await joinAll(given);
  const signal = AbortSignal.abort(REASON);
  const failure = await (FRONT_DOORS[way] as FrontDoor)(mesh, { service: "reviews", signal }).catch((error: unknown) => error);
  expect(reasonOf(failure, way)).toBe(REASON);
  await pause(20);
  expect(given.head.requests()).toBe(0);
  expect(inFlight(mesh)).toBe(0);
});

test.each(Object.keys(FRONT_DOORS))(
  "an abort after the end changes nothing, and 1,000 calls leave no listener on a signal, by %s",
  async (way) => {
    const server = await serve((_request, response) => void response.end("ok"));
    const mesh = await join([server.address]);
    const controller = new AbortController();
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on("warning", onWarning);
    onTestFinished(() => void process.off("warning", onWarning));
    const caller = async () => {
      for (let count = 0; count < 125; count++)
        expect(await (FRONT_DOORS[way] as FrontDoor)(mesh, { service: "reviews", signal: controller.signal })).toBe("ok");
    };
    await Promise.all(Array.from({ length: 8 }, caller));
    await soon(() => getEventListeners(controller.signal, "abort").length).toBe(0);
    controller.abort(REASON);
    expect(warnings).toEqual([]);
    expect(inFlight(mesh)).toBe(0);
    expect(server.requests()).toBe(1_000);
  },
);
