import { loadDocument, type MeshSnapshot, type Resolve } from "@heddle/core";
import { expect, test } from "vitest";
import type { Check, Facts } from "../finding.ts";
import type { InstalledPackage } from "../installed.ts";
import { copies } from "./copies.ts";
import { document } from "./document.ts";
import { endpoints } from "./endpoints.ts";
import { names } from "./names.ts";
import { nodeVersion } from "./node-version.ts";
import { openTelemetry } from "./opentelemetry.ts";
import { sharedAddresses } from "./shared-addresses.ts";
import { variables } from "./variables.ts";

const NOWHERE: Resolve = {
  addresses: () => Promise.reject(new Error("ENOTFOUND")),
  services: () => Promise.reject(new Error("ENOTFOUND")),
};

function snapshotOf(services: object): MeshSnapshot {
  const { snapshot, problems } = loadDocument({ apiVersion: "heddle/v1", services }, "mesh.yaml");
  if (snapshot === null) throw new Error(JSON.stringify(problems));
  return snapshot;
}

/** A machine on which all is well, but for what a test says. */
function facts(changes: Partial<Facts> = {}): Facts {
  return {
    nodeVersion: "24.21.0",
    packages: [],
    env: {},
    configuration: { missing: null, problems: [], snapshots: [] },
    resolve: NOWHERE,
    connect: async () => null,
    ...changes,
  };
}

function services(document: object, changes: Partial<Facts> = {}): Facts {
  return facts({ configuration: { missing: null, problems: [], snapshots: [snapshotOf(document)] }, ...changes });
}

function installed(name: string, version: string, changes: Partial<InstalledPackage> = {}): InstalledPackage {
  return { name, version, path: `/app/node_modules/${name}`, peers: {}, api: null, ...changes };
}

async function found(check: Check, given: Facts): Promise<readonly string[]> {
  return (await check.find(given)).map(({ severity, what }) => `${severity}: ${what}`);
}

test("an old Node.js is an error, one that is new enough is not", async () => {
  expect(await found(nodeVersion, facts({ nodeVersion: "22.18.0" }))).toEqual(["error: this is Node.js 22.18.0"]);
  expect(await found(nodeVersion, facts({ nodeVersion: "22.19.0" }))).toEqual([]);
});

test("two copies of a package of ours are an error that names both places", async () => {
  const twice = [installed("@heddle/core", "0.1.0"), installed("@heddle/core", "0.1.0", { path: "/app/node_modules/x/core" })];
  expect(await found(copies, facts({ packages: twice }))).toEqual([
    "error: there are 2 copies of @heddle/core: 0.1.0 in /app/node_modules/@heddle/core, 0.1.0 in /app/node_modules/x/core",
  ]);
});

test("packages of ours in different versions are an error", async () => {
  const mixed = [installed("@heddle/core", "0.1.0"), installed("@heddle/http", "0.2.0")];
  expect(await found(copies, facts({ packages: mixed }))).toEqual([expect.stringContaining("@heddle/core 0.1.0, @heddle/http 0.2.0")]);
});

test("two copies of undici are a warning, one of each package is nothing", async () => {
  const undici = [installed("undici", "8.12.0"), installed("undici", "7.1.0", { path: "/app/node_modules/y/undici" })];
  expect(await found(copies, facts({ packages: undici }))).toEqual([expect.stringMatching(/^warning: there are 2 copies of undici/)]);
  expect(await found(copies, facts({ packages: [installed("undici", "8.12.0"), installed("@heddle/core", "0.1.0")] }))).toEqual([]);
});

const SDK = installed("@opentelemetry/sdk-trace-node", "2.12.0", { peers: { "@opentelemetry/api": ">=1.0.0 <1.10.0" }, api: "1.9.1" });

test("an SDK of OpenTelemetry that loads an API outside of its range is an error", async () => {
  expect(await found(openTelemetry, facts({ packages: [{ ...SDK, api: "1.10.0" }] }))).toEqual([
    "error: @opentelemetry/sdk-trace-node 2.12.0 needs @opentelemetry/api >=1.0.0 <1.10.0, and loads 1.10.0",
  ]);
  expect(await found(openTelemetry, facts({ packages: [SDK] }))).toEqual([]);
});

test("an API beside heddle that is newer than the SDK's is an error, an older one is not", async () => {
  const core = installed("@heddle/core", "0.1.0");
  expect(await found(openTelemetry, facts({ packages: [SDK, { ...core, api: "1.10.0" }] }))).toEqual([
    "error: heddle loads @opentelemetry/api 1.10.0, and @opentelemetry/sdk-trace-node 2.12.0 loads 1.9.1",
  ]);
  expect(await found(openTelemetry, facts({ packages: [SDK, { ...core, api: "1.9.0" }] }))).toEqual([]);
  expect(await found(openTelemetry, facts({ packages: [SDK, { ...core, api: "1.9.7" }] }))).toEqual([]);
});

test("variables that nothing reads, switches that switch nothing and a bypass are warnings", async () => {
  const env = {
    HEDDLE_SERVIC: "web",
    HEDDLE_ACCESS_LOG: "true",
    HEDDLE_BYPASS: "1",
    HEDDLE_CONFIG: "mesh.yaml",
    PATH: "/bin",
    HEDDLE_X: "",
  };
  expect(await found(variables, facts({ env }))).toEqual([
    "warning: HEDDLE_SERVIC means nothing; is HEDDLE_SERVICE meant?",
    "warning: HEDDLE_ACCESS_LOG=true switches nothing on",
    "warning: HEDDLE_BYPASS=1: the mesh is bypassed",
  ]);
});

test("a service that the configuration does not define is an error, with the nearest name", async () => {
  const defined = { reviews: {} };
  expect(await found(variables, services(defined, { env: { HEDDLE_SERVICE: "review" } }))).toEqual([
    "error: HEDDLE_SERVICE=review is not defined by the configuration; is reviews meant?",
  ]);
  expect(await found(variables, services(defined, { env: { HEDDLE_SERVICE: "reviews" } }))).toEqual([]);
});

test("mistakes of the configuration are told in their place, and so is that there is none", async () => {
  const problems = [{ where: "mesh.yaml:3:5", message: "unknown key", severity: "error" as const }];
  expect(await found(document, facts({ configuration: { missing: null, problems, snapshots: [] } }))).toEqual([
    "error: mesh.yaml:3:5: unknown key",
  ]);
  expect(await found(document, facts({ configuration: { missing: "there is none", problems: [], snapshots: [] } }))).toEqual([
    "error: there is none",
  ]);
});

test("an address of two services is a warning", async () => {
  const address = "127.0.0.1:9081";
  const shared = services({ reviews: { endpoints: [{ address }] }, ratings: { endpoints: [{ address }] } });
  expect(await found(sharedAddresses, shared)).toEqual([`warning: ${address} is an endpoint of reviews and of ratings`]);
});

const THREE = { reviews: { endpoints: [{ address: "10.0.0.1:80" }, { address: "10.0.0.2:80" }, { address: "[::1]:80" }] } };

test("a service none of whose endpoints can be reached is an error, a lost one among others a warning", async () => {
  const only = (...hosts: readonly string[]): Partial<Facts> => ({
    connect: async (target) => ("host" in target && hosts.includes(target.host) ? null : "ECONNREFUSED"),
  });
  expect(await found(endpoints, services(THREE, only("10.0.0.1", "10.0.0.2", "::1")))).toEqual([]);
  expect(await found(endpoints, services(THREE, only("10.0.0.1", "10.0.0.2")))).toEqual([
    "warning: 1 of 3 endpoints of reviews cannot be reached: [::1]:80 (ECONNREFUSED)",
  ]);
  expect(await found(endpoints, services(THREE, only()))).toEqual([expect.stringMatching(/^error: no endpoint of reviews can be reached/)]);
});

const BY_NAME = { reviews: { endpoints: [{ dns: "reviews.internal:9080" }] } };

test("a name that does not resolve is one error, and not one of its endpoints as well", async () => {
  expect(await found(names, services(BY_NAME))).toEqual(["error: reviews.internal, an endpoint of reviews, does not resolve: ENOTFOUND"]);
  expect(await found(endpoints, services(BY_NAME))).toEqual([]);
});

test("a name is as reachable as one of its addresses", async () => {
  const resolve: Resolve = {
    ...NOWHERE,
    addresses: async () => ["10.0.0.1", "10.0.0.2"].map((address) => ({ address, ttlSeconds: null })),
  };
  const asked: unknown[] = [];
  const lastOnly: Partial<Facts> = {
    resolve,
    connect: async (target) => {
      asked.push(target);
      return asked.length === 2 ? null : "ETIMEDOUT";
    },
  };
  expect(await found(endpoints, services(BY_NAME, lastOnly))).toEqual([]);
  expect(asked).toEqual([
    { host: "10.0.0.1", port: 9080 },
    { host: "10.0.0.2", port: 9080 },
  ]);
  expect(await found(endpoints, services(BY_NAME, { resolve, connect: async () => "ETIMEDOUT" }))).toEqual([
    "error: no endpoint of reviews can be reached: dns:reviews.internal:9080 (ETIMEDOUT)",
  ]);
});
