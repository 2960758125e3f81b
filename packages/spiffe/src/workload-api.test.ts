import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { DEFAULTS, type WorkloadApiOptions, workloadApi } from "./workload-api.ts";

const INDEX = new URL("./index.ts", import.meta.url).href;
const CORE = new URL("../../core/src/index.ts", import.meta.url).href;

/** Runs the sources in a process of their own, which notes what it loads and in which some packages are not installed. */
function run(code: string, missing: readonly string[] = []): unknown {
  const script = `
    import { registerHooks } from "node:module";
    const missing = new Set(${JSON.stringify(missing)});
    const loaded = [];
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier === "@heddle/core") return next(${JSON.stringify(CORE)}, context);
        if (missing.has(specifier)) throw Object.assign(new Error("Cannot find module " + specifier), { code: "MODULE_NOT_FOUND" });
        return next(specifier, context);
      },
      load(url, context, next) { loaded.push(url); return next(url, context); },
    });
    const { workloadApi } = await import(${JSON.stringify(INDEX)});
    const ofGrpc = () => loaded.filter((url) => url.includes("/@grpc/")).length > 0;
    console.log(JSON.stringify(${code}));
  `;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    encoding: "utf8",
  });
  return JSON.parse(output);
}

const LOADS = '[ofGrpc(), workloadApi({ address: "unix:///x" }).name, ofGrpc()]';
const THROWS = '(() => { try { return workloadApi({ address: "unix:///x" }); } catch (error) { return String(error); } })()';

test("grpc-js is loaded by the first call, not by the import", () => {
  expect(run(LOADS)).toEqual([false, "workload API unix:///x", true]);
});

test("grpc-js that is missing is an error that says how to install it", () => {
  expect(run(THROWS, ["@grpc/grpc-js"])).toBe(
    "TypeError: workloadApi needs the package @grpc/grpc-js, which is not installed: npm install @grpc/grpc-js",
  );
});

describe("the address", () => {
  const environment = { SPIFFE_ENDPOINT_SOCKET: "tcp://127.0.0.1:8081" };

  test("is that of the option, otherwise that of the environment", () => {
    expect(workloadApi({ environment }).name).toBe("workload API tcp://127.0.0.1:8081");
    expect(workloadApi({ environment, address: "unix:///run/agent.sock" }).name).toBe("workload API unix:///run/agent.sock");
  });

  test("that is missing or wrong is a mistake that names where it should have been", () => {
    const missing = "identity.workloadApi: expected the option address or the environment variable SPIFFE_ENDPOINT_SOCKET";
    expect(() => workloadApi({ environment: {} })).toThrow(new TypeError(missing));
    expect(() => workloadApi({ environment: { SPIFFE_ENDPOINT_SOCKET: "" } })).toThrow(new TypeError(missing));
    expect(() => workloadApi({ environment: { SPIFFE_ENDPOINT_SOCKET: "tcp://agent:1" } })).toThrow(
      'SPIFFE_ENDPOINT_SOCKET: the address "tcp://agent:1" has the host "agent", which is no IP address; expected "unix:///path/to/agent.sock" or "tcp://127.0.0.1:8081"',
    );
    expect(() => workloadApi({ environment, address: "" })).toThrow('identity.workloadApi: address: the address ""');
  });
});

const address = "unix:///run/agent.sock";

test.each<[string, object, string]>([
  ["an unknown option", { adress: address }, 'there is no option "adress"; did you mean "address"?'],
  ["an unknown option of the backoff", { backoff: { bse: 1 } }, 'backoff: there is no option "bse"'],
  ["an address that is no string", { address: 7 }, "address: 7 must be a string"],
  ["an ID that is none", { id: "web" }, 'id: identity "web"'],
  [
    "the ID of a trust domain",
    { id: "spiffe://shop.example" },
    'id: identity "spiffe://shop.example" is a trust domain, which no workload bears',
  ],
  ["an ID that is no string", { id: 7 }, "id: 7 must be"],
  ["an empty hint", { hint: "" }, 'hint: "" must be'],
  ["a hint that is no string", { hint: null }, "hint: null must be"],
  ["no wait at all", { backoff: { base: 0 } }, "backoff.base: 0 must be at least 1 ms"],
  ["a longest wait below the first", { backoff: { base: "2s", max: "1s" } }, 'backoff.max: "1s" must be at least 2000 ms'],
  ["no time to answer", { responseTimeout: 0 }, "responseTimeout: 0 must be at least 1 ms"],
  ["a time that is none", { responseTimeout: "soon" }, 'responseTimeout: "soon" must be milliseconds or a duration'],
  ["a keepalive without pause", { keepalive: "10ms" }, 'keepalive: "10ms" must be at least 1000 ms'],
  ["no time for a keepalive", { keepaliveTimeout: 0 }, "keepaliveTimeout: 0 must be at least 1 ms"],
])("refuses %s", (_, options, message) => {
  const given = { address, ...options } as WorkloadApiOptions;
  expect(() => workloadApi(given)).toThrow(TypeError);
  expect(() => workloadApi(given)).toThrow(`identity.workloadApi: ${message}`);
});

test("the page has each option, with the default that it has", () => {
  const page = readFileSync(new URL("../../../docs/workload-api.md", import.meta.url), "utf8");
  const rows = new Map(
    [...page.matchAll(/^\| `([\w.]+)` \| `?([^`|]+?)`? \|/gm)].map(([, option = "", byDefault = ""]) => [option, byDefault]),
  );
  const { base, max, ...others } = DEFAULTS;
  for (const [option, byDefault] of Object.entries({ "backoff.base": base, "backoff.max": max, ...others }))
    expect(rows.get(option)).toBe(byDefault);
  expect([...rows.keys()].map((option) => option.split(".")[0])).toEqual(expect.arrayContaining(["address", "environment", "id", "hint"]));
});
