import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadDocument, validateSnapshot } from "@heddle/core";
import { expect, onTestFinished, test } from "vitest";
import { MeshDocument } from "./document.ts";
import { INSTANCE_COUNT, instancesOn } from "./instances.ts";

function newDocument(hasGrpc = true): { readonly folder: string; readonly document: MeshDocument } {
  const folder = mkdtempSync(join(tmpdir(), "heddle-document-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const ports = Array.from({ length: INSTANCE_COUNT }, (_, index) => 20_000 + index);
  return { folder, document: new MeshDocument(folder, instancesOn(ports), hasGrpc) };
}

test.each([
  { hasGrpc: true, contents: {} },
  { hasGrpc: true, contents: { watchFails: "data-loss" } },
  { hasGrpc: false, contents: {} },
])("is a document without a mistake or warning, with every process that is called: %o", ({ hasGrpc, contents }) => {
  const { document } = newDocument(hasGrpc);
  const { snapshot, problems } = loadDocument(document.text({ v1: 90, v2: 10, ...contents }), document.path);
  expect(problems).toEqual([]);
  expect(snapshot && validateSnapshot(snapshot)).toEqual([]);
  const addresses = [...(snapshot?.endpointSets.values() ?? [])].flatMap(({ endpoints }) => endpoints.map(({ address }) => address));
  expect(new Set(addresses).size).toBe(INSTANCE_COUNT - 1);
});

test("its weights are the only thing that an edit of the split changes", () => {
  const { document } = newDocument();
  const changed = document.text({ v1: 50, v2: 50 }).split("\n");
  const lines = document.text({ v1: 90, v2: 10 }).split("\n");
  expect(lines.filter((line, index) => line !== changed[index])).toEqual([
    expect.stringContaining("weight: 90"),
    expect.stringContaining("weight: 10"),
  ]);
});

test("is replaced as a whole, and leaves no draft beside it", () => {
  const { folder, document } = newDocument();
  document.write("first");
  document.write("second");
  expect(readFileSync(document.path, "utf8")).toBe("second");
  expect(readdirSync(folder)).toEqual(["mesh.yaml"]);
});
