/**
 * A service with few file descriptors: `node descriptors-child.ts ADDRESS ADDRESS`, under a low `ulimit -n`. Uses them up and gives them
 * back when told to, calls the endpoints, and serves.
 */
import { closeSync, openSync } from "node:fs";
import http from "node:http";
import { joinMesh, meshError } from "heddle";
import type { Asked, CallsTold, ServingTold } from "./descriptors-messages.ts";

const held: number[] = [];
const problems: string[] = [];
const reviews = {
  endpoints: process.argv.slice(2).map((address) => ({ address })),
  outlier: { consecutiveFailures: 2 },
  breaker: { consecutiveFailures: 3 },
};
const services = { web: {}, reviews, patient: { ...reviews, retry: { maxRetries: 2, on: ["connect-failure"], budget: { percent: 100 } } } };
const mesh = await joinMesh({
  service: "web",
  config: { apiVersion: "heddle/v1", services },
  onProblem: ({ message }) => void problems.push(message),
});

function takeAll(): void {
  for (;;) {
    try {
      held.push(openSync("/dev/null", "r"));
    } catch {
      return;
    }
  }
}

function throughAgent(): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.get("http://reviews/", { agent: mesh.agent() }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    request.on("error", reject);
  });
}

async function outcomeOf(call: () => Promise<number>): Promise<CallsTold["calls"][number]> {
  try {
    return { outcome: String(await call()), message: "", tries: 0 };
  } catch (error) {
    const failure = meshError(error);
    return { outcome: failure?.code ?? String(error), message: String(failure?.message), tries: mesh.report(error)?.attempts.length ?? 0 };
  }
}

async function calls(count: number): Promise<CallsTold> {
  const ask = (service: string) => async () => {
    const reply = await mesh.request(`http://${service}/`);
    await reply.text();
    return reply.status;
  };
  const ways = [ask("reviews"), throughAgent, ask("patient"), async () => (await mesh.fetch("http://reviews/")).status];
  const all = Array.from({ length: count }, (_, index) => outcomeOf(ways[index % ways.length] as () => Promise<number>));
  const told = await Promise.all(all);
  const { backends } = mesh.inspect();
  return {
    calls: told,
    states: backends.flatMap(({ endpoints }) => endpoints.map(({ state, failures, ejections }) => ({ state, failures, ejections }))),
    breakers: backends.map(({ breaker }) => breaker),
    inFlight: backends.reduce((sum, { inFlight }) => sum + inFlight, 0),
    problems,
  };
}

process.on("message", async ({ kind, count = 0 }: Asked) => {
  if (kind === "take all") takeAll();
  if (kind === "give back") for (const descriptor of held.splice(0)) closeSync(descriptor);
  if (kind === "serve") {
    const { port } = await mesh.listen((_request, response) => response.end("served"), { host: "127.0.0.1" });
    process.send?.({ port } satisfies ServingTold);
  } else process.send?.(await calls(count));
});
process.on("disconnect", () => process.exit(0));
process.send?.(await calls(0));
