import http, { type Agent } from "node:http";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import type { FetchFunction, MeshDispatcher, MeshInterceptor, RequestFunction, ServiceHandle } from "@heddle/http";
import undici from "undici";

export interface Doors {
  readonly request: RequestFunction;
  readonly fetch: FetchFunction;
  readonly service: ServiceHandle;
  readonly dispatcher: MeshDispatcher;
  readonly interceptor: MeshInterceptor;
  readonly agent: Agent;
}

const ORIGIN = "http://reviews";

/** One request, or pipe, by each; together, as an application would. Rejects unless every answer is the right one. */
export async function useEveryDoor({ request, fetch, service, dispatcher, interceptor, agent }: Doors): Promise<void> {
  const own = new undici.Agent();
  const answers = await Promise.all([
    request(`${ORIGIN}/`).then((reply) => reply.text()),
    request(`${ORIGIN}/`, { method: "POST", json: { stars: 5 } }).then((reply) => reply.text()),
    service.get("/").text(),
    fetch(`${ORIGIN}/`).then((response) => response.text()),
    undici.request(`${ORIGIN}/`, { dispatcher }).then(({ body }) => body.text()),
    undici.request(`${ORIGIN}/`, { dispatcher: own.compose(interceptor) }).then(({ body }) => body.text()),
    throughAgent(agent),
    echoed(undici.upgrade(ORIGIN, { dispatcher, protocol: "echo" })),
    echoed(dispatcher.connect({ origin: ORIGIN, path: "/" })),
  ]);
  await own.close();
  const wrong = answers.filter((answer) => answer !== "ok");
  if (wrong.length > 0) throw new Error(`expected ok from every door, found ${JSON.stringify(answers)}`);
}

/** What ends otherwise than well: a caller that leaves, a deadline, an unknown host (egress is to be denied), retries, a body that nobody reads. */
export async function useBadly({ request, dispatcher }: Pick<Doors, "request" | "dispatcher">): Promise<void> {
  const caller = new AbortController();
  const hanging = request(`${ORIGIN}/hang`, { signal: caller.signal });
  setTimeout(() => caller.abort(new Error("left")), 1);
  const outcomes = await Promise.allSettled([
    hanging,
    request(`${ORIGIN}/hang`, { mesh: { timeout: 2 } }),
    undici.request("http://nobody/", { dispatcher }),
    request(`${ORIGIN}/fail`),
  ]);
  const statuses = outcomes.map(({ status }) => status);
  if (statuses.join() !== "rejected,rejected,rejected,fulfilled") throw new Error(`unexpected outcomes: ${JSON.stringify(outcomes)}`);
}

export async function throughAgent(agent?: Agent): Promise<string> {
  const message = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get(`${ORIGIN}/`, agent === undefined ? {} : { agent }, resolve).on("error", reject);
  });
  return text(message);
}

/** `ok` comes back through the pipe. */
async function echoed(opened: Promise<{ readonly socket: Duplex }>): Promise<string> {
  const { socket } = await opened;
  const answer = await new Promise<string>((resolve, reject) => {
    socket.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    socket.once("error", reject);
    socket.write("ok");
  });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.destroy();
  await closed;
  return answer;
}
