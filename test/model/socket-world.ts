import { Cancel, createMesh, type Mesh, type StaticSource, sleep, staticSource, systemClock } from "@heddle/core";
import { httpTransport } from "@heddle/http";
import { type LoopbackEndpoint, loopbackEndpoint } from "@heddle/testing";
import { Callers } from "./callers.ts";
import type { Command, EndpointFault } from "./commands.ts";
import { openDoors } from "./doors.ts";
import { ANSWERED_BY, bodyOf, type Pause } from "./endpoint-scripts.ts";
import { DETAILS, documentOf, ENDPOINTS, isConsistent, type Settings, SHADOW, SPARE } from "./settings.ts";

/** By the address that the model knows them by. */
export type Servers = ReadonlyMap<string, LoopbackEndpoint>;

export async function startServers(): Promise<Servers> {
  const servers = new Map<string, LoopbackEndpoint>();
  for (const address of [...ENDPOINTS, ...DETAILS, SPARE, SHADOW]) servers.set(address, await loopbackEndpoint());
  return servers;
}

export const pause: Pause = (ms) => sleep(systemClock, ms, new Cancel());

/** The real mesh over real sockets. Time passes by itself, so that less is known of what happens when. */
export class SocketWorld {
  readonly mesh: Mesh;
  readonly callers: Callers;
  settings: Settings;
  readonly #source: StaticSource;
  readonly #servers: Servers;

  constructor(settings: Settings, servers: Servers, prefix: string) {
    this.settings = settings;
    this.#servers = servers;
    this.#source = staticSource(documentOf(settings, this.#at));
    this.mesh = createMesh({ config: this.#source, transport: httpTransport(), onProblem: () => undefined });
    this.callers = new Callers(openDoors(this.mesh, null), systemClock, pause, prefix);
  }

  async perform(command: Command): Promise<void> {
    if (command.kind === "call") for (let call = 0; call < command.count; call++) this.callers.begin(command, this.settings);
    if (command.kind === "edit") this.#edit({ ...this.settings, ...command.set });
    if (command.kind === "abort") this.#abort(command.which);
    if (command.kind === "fault") {
      const addresses = command.endpoint === "all" ? ENDPOINTS : [[...this.#servers.keys()][command.endpoint] ?? SPARE];
      for (const address of addresses) await behave(this.#server(address), command.fault);
    }
    await pause(command.kind === "advance" ? Math.min(command.ms, 25) : 0);
  }

  readonly #at = (address: string): string => this.#server(address).address;

  #server(address: string): LoopbackEndpoint {
    const server = this.#servers.get(address);
    if (!server) throw new Error(`there is no ${address}`);
    return server;
  }

  #edit(next: Settings): void {
    this.#source.update(documentOf(next, this.#at));
    if (isConsistent(next)) this.settings = next;
  }

  #abort(which: number): void {
    const under = this.callers.all.filter(({ abortedAt, body }) => abortedAt === null && body === null).slice(-4);
    const record = under[under.length - 1 - (which % Math.max(1, under.length))];
    if (record) this.callers.leave(record);
  }
}

export function wellBehaved(server: LoopbackEndpoint): Promise<void> {
  return behave(server, { kind: "ok", latency: 0 });
}

async function behave(server: LoopbackEndpoint, fault: EndpointFault): Promise<void> {
  const headers = { [ANSWERED_BY]: server.address };
  switch (fault.kind) {
    case "ok":
      return server.answer(async () => {
        await pause(Math.min(fault.latency, 20));
        return { headers, body: "well" };
      });
    case "status": {
      const { status, retryAfter } = fault;
      return server.answer(() => ({ status, headers: { ...headers, ...(retryAfter !== null && { "retry-after": String(retryAfter) }) } }));
    }
    case "refuse":
    case "refuse-stream":
      return server.refuse();
    case "garbage":
      return server.garbage();
    case "reset":
      return server.reset(fault.after);
    case "hang":
      return server.hang(fault.at === "connect" ? "request" : fault.at);
    case "body":
      return server.answer(() => ({ headers, body: bodyOf(fault.of, pause) }));
    default:
      return fault satisfies never;
  }
}
