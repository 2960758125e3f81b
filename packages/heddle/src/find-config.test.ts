import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ControlSource, isControlSource, type MeshSnapshot, systemClock } from "@heddle/core";
import { expect, test } from "vitest";
import { findConfig, type MeshConfig, PROCESS, type Surroundings } from "./find-config.ts";

const document = { apiVersion: "heddle/v1", services: { reviews: {} } };

function around(given: Partial<Surroundings> & { readonly files?: readonly string[] } = {}): Surroundings {
  return {
    env: {},
    fileExists: (path) => given.files?.includes(path) ?? false,
    load: (path) => Promise.reject(new Error(`${path} is not there`)),
    ...given,
  };
}

function services(config: MeshConfig): readonly string[] {
  let told: MeshSnapshot | undefined;
  expect(isControlSource(config)).toBe(true);
  (config as ControlSource).watch({ update: (snapshot) => (told = snapshot), problem: () => {} }, systemClock)();
  return [...(told?.inboundPolicies.keys() ?? [])];
}

test("what is given comes first, then HEDDLE_CONFIG, the module, the documents in order, and the environment last", async () => {
  const files = ["mesh.json", "mesh.yaml", "mesh.config.ts"];
  const env = { HEDDLE_CONFIG: "from-env.yaml", REVIEWS_HTTP: "127.0.0.1:9081" };
  const load = async () => ({ default: "from-module.yaml" });
  expect(await findConfig(document, undefined, around({ files, env, load }))).toBe(document);
  expect(await findConfig(undefined, undefined, around({ files, env, load }))).toBe("from-env.yaml");
  const { REVIEWS_HTTP } = env;
  expect(await findConfig(undefined, undefined, around({ files, env: { REVIEWS_HTTP }, load }))).toBe("from-module.yaml");
  expect(await findConfig(undefined, undefined, around({ files: files.slice(0, 2), env: { REVIEWS_HTTP } }))).toBe("mesh.yaml");
  expect(await findConfig(undefined, undefined, around({ files: files.slice(0, 1), env: { REVIEWS_HTTP } }))).toBe("mesh.json");
  expect(services(await findConfig(undefined, undefined, around({ env: { REVIEWS_HTTP } })))).toEqual(["reviews"]);
});

test("with the environment alone the process may still join under its own name", async () => {
  const config = await findConfig(undefined, "web", around({ env: { REVIEWS_HTTP: "127.0.0.1:9081" } }));
  expect(services(config)).toEqual(["reviews", "web"]);
});

test("no configuration anywhere is said with every way to give one", async () => {
  await expect(findConfig(undefined, "web", around({ env: { PATH: "/bin" } }))).rejects.toThrow(
    /HEDDLE_CONFIG.*mesh\.config\.ts.*REVIEWS_HTTP/,
  );
});

test("a module stands for its default export, in TypeScript too", async () => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-config-"));
  const path = join(folder, "mesh.config.ts");
  writeFileSync(path, 'const services: object = { shop: {} };\nexport default { apiVersion: "heddle/v1", services };\n');
  try {
    const config = await findConfig(path, undefined, PROCESS);
    expect(services(config)).toEqual(["shop"]);
    expect((config as ControlSource).name).toBe(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a module that cannot be loaded, or exports nothing, is named with the reason", async () => {
  await expect(findConfig("mesh.config.ts", undefined, around())).rejects.toThrow(
    "mesh.config.ts cannot be loaded: mesh.config.ts is not there",
  );
  const load = async () => ({});
  await expect(findConfig("mesh.config.ts", undefined, around({ load }))).rejects.toThrow(
    "the default export of mesh.config.ts is missing",
  );
});
