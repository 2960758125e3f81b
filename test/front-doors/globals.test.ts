import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { fileURLToPath } from "node:url";
import { Agent, EnvHttpProxyAgent, getGlobalDispatcher, MockAgent, setGlobalDispatcher } from "undici";
import { afterEach, expect, onTestFinished, test } from "vitest";
import { join, serve, serveEcho } from "./setup.ts";

// What was global in the process before the mesh serves the hosts that no service claims.

const original = getGlobalDispatcher();
afterEach(() => setGlobalDispatcher(original));

const root = fileURLToPath(new URL("../..", import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a module with the packages as built. */
async function run(
  source: string,
  { flags = [], env = {} }: { flags?: readonly string[]; env?: Readonly<Record<string, string>> } = {},
): Promise<Ended> {
  const folder = await mkdtemp(joinPath(root, "node_modules/.cache-front-doors-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = joinPath(folder, "app.mjs");
  await writeFile(file, source);
  const child = spawn(process.execPath, [...flags, file], { cwd: folder, env: { PATH: process.env.PATH ?? "", ...env } });
  onTestFinished(() => void child.kill("SIGKILL"));
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, out, err };
}

/** A plain HTTP proxy that answers itself, and says for whom. */
async function proxy() {
  const served = await serve((request, response) => response.end(`proxied ${request.url}`));
  served.server.on("connect", (request, socket) => {
    socket.on("error", () => {});
    socket.write("HTTP/1.1 200 Connected\r\n\r\n");
    const inner = createServer((_message, response) => response.end(`tunnelled ${request.url}`));
    inner.emit("connection", socket);
  });
  return served;
}

function documentOf(address: string): string {
  return JSON.stringify({ apiVersion: "heddle/v1", services: { reviews: { endpoints: [{ address }] } } });
}

test("a MockAgent that was global when the mesh joined serves unclaimed hosts", async () => {
  const mock = new MockAgent();
  mock.disableNetConnect();
  mock.get("http://outside").intercept({ path: "/" }).reply(200, "mocked").persist();
  setGlobalDispatcher(mock);
  const mesh = await join([(await serveEcho()).address]);
  using _ = mesh.install();
  expect(await (await mesh.fetch("http://outside/")).text()).toBe("mocked");
  expect(await (await mesh.request("http://outside/")).text()).toBe("mocked");
  expect(await (await fetch("http://outside/")).text()).toBe("mocked");
  expect((await fetch("http://reviews/")).status).toBe(200);
});

test("a proxy that undici was told to use serves unclaimed hosts, and no service", async () => {
  const { address } = await proxy();
  setGlobalDispatcher(new EnvHttpProxyAgent({ httpProxy: `http://${address}`, noProxy: "" }));
  const mesh = await join([(await serveEcho()).address]);
  expect(await (await mesh.fetch("http://outside.example/")).text()).toMatch(/outside\.example/);
  expect(await (await mesh.fetch("http://reviews/")).json()).toMatchObject({ headers: { host: "reviews" } });
});

test("one that was set for undici 7 and the built-in fetch, before undici 8 was loaded, is not lost", async () => {
  const { address } = await serveEcho();
  const { out, err } = await run(`
    import { MockAgent, setGlobalDispatcher } from "undici7";
    const mock = new MockAgent();
    mock.disableNetConnect();
    mock.get("http://outside").intercept({ path: "/", method: "GET" }).reply(200, "mocked", { headers: { "x-many": ["a", "b"] } }).persist();
    mock.get("http://outside").intercept({ path: "/", method: "POST", body: "sent" }).reply(201, "posted").persist();
    mock.get("http://outside").intercept({ path: "/broken" }).replyWithError(new Error("it broke")).persist();
    setGlobalDispatcher(mock);
    const { joinMesh } = await import("heddle");
    const said = [await (await fetch("http://outside/")).text()];
    const mesh = await joinMesh({ config: ${documentOf(address)} });
    const response = await mesh.fetch("http://outside/");
    said.push(await response.text(), response.headers.get("x-many"));
    said.push(await (await mesh.request("http://outside/", { method: "POST", body: "sent", mesh: { timeout: 5000 } })).text());
    said.push(await mesh.request("http://outside/broken").catch((error) => error.message));
    const installed = mesh.install();
    said.push(await (await fetch("http://outside/")).text(), (await fetch("http://reviews/")).status);
    installed[Symbol.dispose]();
    said.push(await (await fetch("http://outside/")).text());
    await mesh.close();
    console.log(JSON.stringify(said));
  `);
  expect(err).toBe("");
  expect(JSON.parse(out)).toEqual(["mocked", "mocked", "a, b", "posted", "it broke", "mocked", 200, "mocked"]);
});

/** From Node 22.21 and 24 on. */
const hasProxyEnvironment = process.allowedNodeEnvironmentFlags.has("--use-env-proxy");

test.runIf(hasProxyEnvironment)("Node's own proxy environment is not lost", async () => {
  const { address } = await proxy();
  const echo = await serveEcho();
  const source = `
    const { joinMesh } = await import("heddle");
    const said = [await (await fetch("http://outside.example/")).text()];
    const mesh = await joinMesh({ config: ${documentOf(echo.address)} });
    said.push(await (await mesh.fetch("http://outside.example/")).text());
    said.push((await mesh.fetch("http://reviews/")).status);
    const installed = mesh.install();
    said.push(await (await fetch("http://outside.example/")).text());
    installed[Symbol.dispose]();
    await mesh.close();
    console.log(JSON.stringify(said));
  `;
  const { out, err } = await run(source, { env: { NODE_USE_ENV_PROXY: "1", HTTP_PROXY: `http://${address}`, NO_PROXY: "" } });
  expect(err).not.toContain("Error");
  expect(JSON.parse(out)).toEqual([
    expect.stringContaining("outside.example"),
    expect.stringContaining("outside.example"),
    200,
    expect.stringContaining("outside.example"),
  ]);
});

test("what a process made global after the mesh joined is not used", async () => {
  const mesh = await join([]);
  const mock = new MockAgent();
  mock.disableNetConnect();
  setGlobalDispatcher(mock);
  const other = await serve((_request, response) => response.end("direct"));
  expect(await (await mesh.fetch(`http://${other.address}/`)).text()).toBe("direct");
});

const REGISTER = ["--import", "heddle/register"];

test("`--import heddle/register` puts an application's calls through the mesh without a line of code, and lets it end", async () => {
  const { address } = await serveEcho();
  const folder = await mkdtemp(joinPath(tmpdir(), "heddle-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = joinPath(folder, "mesh.json");
  await writeFile(file, documentOf(address));
  const { code, out, err } = await run(
    `
    import http from "node:http";
    const viaFetch = await (await fetch("http://reviews/a")).json();
    const viaHttp = await new Promise((resolve, reject) => http.get("http://reviews/b", (response) => resolve(response.headers["x-endpoint"])).on("error", reject));
    console.log(JSON.stringify([viaFetch.url, viaHttp]));
  `,
    { flags: REGISTER, env: { HEDDLE_CONFIG: file } },
  );
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(JSON.parse(out)).toEqual(["/a", address]);
});

test("`--import heddle/register` without a configuration ends the process before the application starts, and says why", async () => {
  const { code, out, err } = await run(`console.log("started")`, { flags: REGISTER });
  expect(code).not.toBe(0);
  expect(out).toBe("");
  expect(err).toContain("no configuration");
});

test("an agent of the user's own serves the hosts that no service claims, behind the interceptor", async () => {
  const mesh = await join([(await serveEcho()).address]);
  const other = await serve((_request, response) => response.end("direct"));
  const seen: string[] = [];
  const agent = new Agent().compose(
    (dispatch) => (options, handler) => {
      seen.push(`beneath ${String(options.origin)}`);
      return dispatch(options, handler);
    },
    mesh.interceptor(),
    (dispatch) => (options, handler) => {
      seen.push(`above ${String(options.origin)}`);
      return dispatch(options, handler);
    },
  );
  onTestFinished(() => agent.close());
  const reviews = await agent.request({ origin: "http://reviews", path: "/api/7", method: "GET" });
  expect(await reviews.body.json()).toMatchObject({ url: "/api/7" });
  const direct = await agent.request({ origin: `http://${other.address}`, path: "/", method: "GET" });
  expect(await direct.body.text()).toBe("direct");
  expect(seen).toEqual(["above http://reviews", `above http://${other.address}`, `beneath http://${other.address}`]);
});
