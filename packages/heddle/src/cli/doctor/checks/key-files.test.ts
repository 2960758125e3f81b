import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Environment, loadDocument } from "@heddle/core";
import { expect, onTestFinished, test } from "vitest";
import type { Facts } from "../finding.ts";
import { keyFiles } from "./key-files.ts";

const KEYS = {
  keys: [{ kty: "EC", crv: "P-256", x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" }],
};

async function found(path: string, env: Environment): Promise<readonly string[]> {
  const inbound = { jwt: [{ issuer: "https://issuer.example", jwks: { file: path } }] };
  const document = { apiVersion: "heddle/v1", services: { web: {}, orders: { inbound } } };
  const { snapshot, problems } = loadDocument(document, "mesh.yaml");
  if (snapshot === null) throw new Error(JSON.stringify(problems));
  const configuration = { missing: null, problems: [], snapshots: [snapshot] };
  const facts = {
    nodeVersion: "24.21.0",
    packages: [],
    env,
    configuration,
    resolve: {} as never,
    connect: async () => null,
  } satisfies Facts;
  return (await keyFiles.find(facts)).map(({ severity, what }) => `${severity}: ${what}`);
}

test("a key file of the service that is missing or broken is an error with place, issuer and whole path; a good one is nothing", async () => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-doctor-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "keys.json");
  const where = `mesh.yaml: jwt https://issuer.example: ${path}`;
  expect(await found(path, { HEDDLE_SERVICE: "orders" })).toEqual([`error: ${where}: the file does not exist`]);
  writeFileSync(path, "{");
  expect(await found(path, { HEDDLE_SERVICE: "orders" })).toEqual([`error: ${where}: it is not JSON`]);
  writeFileSync(path, JSON.stringify(KEYS));
  expect(await found(path, { HEDDLE_SERVICE: "orders" })).toEqual([]);
});

test("the files of another service are somewhere else, and of which service this is may be unknown", async () => {
  expect(await found("/nowhere/keys.json", { HEDDLE_SERVICE: "web" })).toEqual([]);
  expect(await found("/nowhere/keys.json", {})).toEqual([
    expect.stringMatching(/^warning: .*\/nowhere\/keys\.json: the file does not exist$/),
  ]);
});
