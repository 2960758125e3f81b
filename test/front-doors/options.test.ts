import http from "node:http";
import { meshError, runInScope, systemClock } from "@heddle/core";
import axios from "axios";
import undici, { Agent } from "undici";
import { expect, test, vi } from "vitest";
import { join, pause, serve, serveEcho } from "./setup.ts";

const never = () => serve(() => {});

async function codeOf(call: () => Promise<unknown>): Promise<string | undefined> {
  const error = await call().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return meshError(error)?.code;
}

test("options of one call hold by every way to give them", async () => {
  const mesh = await join([(await never()).address]);
  const { dispatcher } = mesh;
  const timeout = "40ms";
  const ways: Record<string, () => Promise<unknown>> = {
    "mesh.request": () => mesh.request("http://reviews/", { mesh: { timeout } }),
    "mesh.fetch": () => mesh.fetch("http://reviews/", { mesh: { timeout } }),
    "service.get": () => mesh.service("reviews").get("/", { timeout }),
    "service.fetch": () => mesh.service("reviews").fetch("/", { mesh: { timeout } }),
    "undici.request": () => undici.request("http://reviews/", { dispatcher, mesh: { timeout } } as never),
    interceptor: () =>
      undici.request("http://reviews/", { dispatcher: new Agent().compose(mesh.interceptor()), mesh: { timeout } } as never),
    "a bound dispatcher and undici.request": () => undici.request("http://reviews/", { dispatcher: dispatcher.bind({ timeout }) }),
    "a bound dispatcher and undici's fetch": () => undici.fetch("http://reviews/", { dispatcher: dispatcher.bind({ timeout }) }),
    "a bound dispatcher and the built-in fetch": () => fetch("http://reviews/", { dispatcher: dispatcher.bind({ timeout }) } as never),
    "mesh.with and mesh.request": () => mesh.with({ timeout }, () => mesh.request("http://reviews/")),
    "mesh.with and undici.request": () => mesh.with({ timeout }, () => undici.request("http://reviews/", { dispatcher })),
    "mesh.with and the agent": () => mesh.with({ timeout }, () => axios.get("http://reviews/", { httpAgent: mesh.agent() })),
  };
  for (const [way, call] of Object.entries(ways)) expect(await codeOf(call), way).toBe("deadline_exceeded");
});

test("options are checked where they are given", async () => {
  const mesh = await join([]);
  expect(() => mesh.with({ timeOut: 1 } as never, () => 1)).toThrow("mesh.timeOut is not an option; did you mean timeout?");
  expect(() => mesh.dispatcher.bind({ hashKey: "me" } as never)).toThrow("mesh.hashKey is not an option");
});

test("of several timeouts the shortest holds, and a retry once forbidden stays so", async () => {
  const failing = await serve((_request, response) => void response.writeHead(503).end());
  const mesh = await join([(await never()).address], { services: { failing: { endpoints: [{ address: failing.address }], retry: {} } } });
  const startedAt = performance.now();
  const narrow = mesh.with({ timeout: "40ms" }, () => mesh.request("http://reviews/", { mesh: { timeout: "10s" } }));
  expect(await codeOf(() => narrow)).toBe("deadline_exceeded");
  const wide = mesh.with({ timeout: "10s" }, () => mesh.dispatcher.bind({ timeout: "10s" }));
  expect(await codeOf(() => undici.request("http://reviews/", { dispatcher: wide, mesh: { timeout: "40ms" } } as never))).toBe(
    "deadline_exceeded",
  );
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  await mesh.with({ retry: false }, () => mesh.request("http://failing/"));
  expect(failing.requests()).toBe(1);
  await mesh.request("http://failing/");
  expect(failing.requests()).toBe(4);
});

test("tags are carried to every call made within, and their union to the report", async () => {
  const mesh = await join([(await serveEcho()).address]);
  const reply = await mesh.with({ tags: { lane: "pr-41", team: "a" } }, async () => {
    await pause(1);
    return mesh.with({ tags: { team: "b" } }, () => mesh.request("http://reviews/", { mesh: { tags: { call: "1" } } }));
  });
  expect(mesh.report(reply)?.tags).toEqual({ lane: "pr-41", team: "b", call: "1" });
});

test("within `with`, the inbound request's deadline still holds, and ends with it", async () => {
  const mesh = await join([(await serveEcho()).address]);
  const scope = { trace: null, tags: null, deadlineAt: systemClock.now() - 1, isRetry: false };
  const inside = <T>(run: () => T): T => runInScope(scope, () => mesh.with({ tags: { a: "1" } }, run));
  expect(await codeOf(() => inside(() => mesh.request("http://reviews/")))).toBe("deadline_exceeded");
  const later = inside(async () => {
    await pause(5);
    return mesh.request("http://reviews/");
  });
  // What the inbound stack does when the exchange is over.
  scope.deadlineAt = Number.POSITIVE_INFINITY;
  expect((await later).status).toBe(200);
});

test("`detached` leaves everything behind", async () => {
  const mesh = await join([(await serveEcho()).address]);
  const reply = await mesh.with({ tags: { lane: "pr-41" }, timeout: "1ms" }, () => mesh.detached(() => mesh.request("http://reviews/")));
  expect(mesh.report(reply)?.tags).toEqual({});
});

test("`failures: response` makes every front door answer what a proxy would", async () => {
  const mesh = await join([(await never()).address], {
    failures: "response",
    reviews: { timeout: "40ms" },
    services: { empty: { endpoints: [] } },
  });
  const { dispatcher } = mesh;
  const through = async (answer: { statusCode: number; headers: object; body: { text(): Promise<string> } }) => [
    answer.statusCode,
    (answer.headers as Record<string, string>)["x-heddle-error"],
    await answer.body.text(),
  ];
  const fetched = async (response: Response) => [response.status, response.headers.get("x-heddle-error"), await response.text()];
  for (const [host, expected] of [
    ["reviews", [504, "deadline_exceeded", ""]],
    ["empty", [503, "no_endpoint", ""]],
  ] as const) {
    const url = `http://${host}/`;
    const reply = await mesh.request(url);
    expect([reply.status, reply.headers["x-heddle-error"], await reply.text()]).toEqual(expected);
    expect((await mesh.service(host).get("/")).status).toBe(expected[0]);
    expect(await fetched(await mesh.fetch(url))).toEqual(expected);
    expect(await fetched(await mesh.service(host).fetch("/"))).toEqual(expected);
    expect(await through(await undici.request(url, { dispatcher }))).toEqual(expected);
    expect(await through(await undici.request(url, { dispatcher: dispatcher.bind({}) }))).toEqual(expected);
    expect(await through(await undici.request(url, { dispatcher: new Agent().compose(mesh.interceptor()) }))).toEqual(expected);
  }
  expect(mesh.inspect().counters.length, "what really happened is still counted").toBeGreaterThan(0);
  const { status, headers, data } = await axios.get("http://empty/", { httpAgent: mesh.agent(), validateStatus: () => true });
  expect([status, headers["x-heddle-error"], data]).toEqual([503, "no_endpoint", ""]);
});

test("with `failures: response` the caller's own reason and mistakes stay what they are", async () => {
  const mesh = await join([(await never()).address], { failures: "response" });
  const reason = new Error("mine");
  const controller = new AbortController();
  const call = mesh.request("http://reviews/", { signal: controller.signal });
  controller.abort(reason);
  await expect(call).rejects.toBe(reason);
  await expect(mesh.request("not a url")).rejects.toThrow(TypeError);
});

test("a bypassed mesh says so, and sends everything to the first endpoint, or where the name resolves to", async () => {
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  const servers = [await serveEcho(), await serveEcho()];
  const mesh = await join(
    servers.map(({ address }) => address),
    {
      bypass: true,
      reviews: { balancer: { policy: "round-robin" }, timeout: "1ms", routes: [{ name: "gone", respond: { status: 410, body: "gone" } }] },
      services: { localhost: {} },
    },
  );
  expect(said).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("BYPASSED"));
  said.mockRestore();
  for (let call = 0; call < 3; call++) expect((await mesh.request("http://reviews/")).status).toBe(200);
  expect(servers.map(({ requests }) => requests())).toEqual([3, 0]);
  const port = servers[1]?.address.split(":")[1];
  const looked = await mesh.request(`http://localhost:${port}/`).catch((error: unknown) => error);
  expect(looked).toMatchObject({ status: 200 });
});

test("installing covers node:http, and gives it back", async () => {
  const mesh = await join([(await serveEcho()).address]);
  const before = http.globalAgent;
  const first = mesh.install();
  const second = mesh.install();
  first[Symbol.dispose]();
  expect(http.globalAgent).toBe(mesh.agent());
  second[Symbol.dispose]();
  expect(http.globalAgent).toBe(before);
});
