/**
 * Two copies of the packages in one process, as two versions in a tree of dependencies are: `node two-copies-child.ts FOLDER FOLDER`.
 * Tells what became of each thing that they share.
 */

/**
 * Two copies of the packages in one process, as two versions in a tree of dependencies are: `node two-copies-child.ts FOLDER FOLDER`.
 * Tells what became of each thing that they share.
 */
import http, { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { pathToFileURL } from "node:url";
import type { CopiesTold } from "./two-copies-messages.ts";

type Heddle = typeof import("heddle");

const load = <Module>(folder: string, name: string): Promise<Module> =>
  import(pathToFileURL(`${folder}/node_modules/${name}/dist/index.js`).href) as Promise<Module>;
const [first = "", second = ""] = process.argv.slice(2);
const [one, other] = [await load<Heddle>(first, "heddle"), await load<Heddle>(second, "heddle")];

const endpoint = createServer((_request, response) => response.end("hello"));
await new Promise<void>((resolve) => endpoint.listen(0, "127.0.0.1", resolve));
const address = `127.0.0.1:${(endpoint.address() as AddressInfo).port}`;
const joinAs = (heddle: Heddle, name: string, egress: "allow" | "deny" = "allow") =>
  heddle.joinMesh({
    service: name,
    config: { apiVersion: "heddle/v1", mesh: { egress }, services: { [name]: { endpoints: [{ address }] } } },
  });
const global2 = Symbol.for("undici.globalDispatcher.2");
const globals = () => [(globalThis as Record<symbol, unknown>)[global2], http.globalAgent] as const;
const textOf = (url: string) => fetch(url).then((response) => response.text());

async function installedInTurn(takeBackFirst: "one" | "other"): Promise<CopiesTold["installed"]> {
  const before = globals();
  const meshOne = await joinAs(one, "one");
  const installedOne = meshOne.install();
  const meshOther = await joinAs(other, "other");
  const installedOther = meshOther.install();
  const answers = [await textOf("http://one/"), await textOf("http://other/")];
  const [takenFirst, takenLast] = takeBackFirst === "one" ? [installedOne, installedOther] : [installedOther, installedOne];
  takenFirst[Symbol.dispose]();
  const left = await textOf(takeBackFirst === "one" ? "http://other/" : "http://one/");
  takenLast[Symbol.dispose]();
  const after = globals();
  await Promise.all([meshOne.close(), meshOther.close()]);
  return { answers, left, isRestored: before.every((value, index) => value === after[index]) };
}

/** A listener of one copy, and the middleware of the other for the same mesh and for a mesh of its own. */
async function inbound(): Promise<CopiesTold["inbound"]> {
  const core = await load<typeof import("@heddle/core")>(first, "@heddle/core");
  const ways = await load<typeof import("@heddle/http")>(first, "@heddle/http");
  const adapter = await load<typeof import("@heddle/express-adapter")>(second, "@heddle/express-adapter");
  const config = { apiVersion: "heddle/v1", services: { one: {} } };
  const mesh = core.createMesh({ service: "one", config, transport: ways.httpTransport() });
  const meshOther = await joinAs(other, "other");
  const middleware = adapter.meshMiddleware(mesh);
  const listener = await ways.listen(
    mesh,
    (request, response) => middleware(request, response, () => response.end(String(mesh.inspect().inbound.inFlight))),
    { host: "127.0.0.1" },
  );
  const inFlight = await textOf(listener.url);
  let refusal = "";
  try {
    meshOther.attach(listener.server);
  } catch (error) {
    refusal = String(error);
  }
  await Promise.all([mesh.close(), meshOther.close()]);
  return { inFlight, refusal };
}

async function errors(): Promise<CopiesTold["errors"]> {
  const mesh = await joinAs(one, "one", "deny");
  const failure: unknown = await mesh.fetch("http://nobody/").catch((error: unknown) => error);
  await mesh.close();
  const found = other.meshError(failure);
  return { code: found?.code ?? "", isInstance: found instanceof other.MeshError };
}

const told: CopiesTold = {
  areApart: one.joinMesh !== other.joinMesh,
  installed: await installedInTurn("one"),
  installedReversed: await installedInTurn("other"),
  inbound: await inbound(),
  errors: await errors(),
};
process.send?.(told, () => process.exit(0));
