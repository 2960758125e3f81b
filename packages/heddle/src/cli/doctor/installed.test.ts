import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { installedPackages } from "./installed.ts";

function folder(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "heddle-installed-")));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

function put(path: string, manifest: object): void {
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "package.json"), JSON.stringify(manifest));
}

test("finds copies at every depth and in the folders above, and no other packages", () => {
  const root = folder();
  put(join(root, "node_modules/undici"), { version: "8.12.0" });
  put(join(root, "node_modules/other/node_modules/undici"), { version: "6.0.0" });
  put(join(root, "app/node_modules/@heddle/core"), { version: "0.1.0" });
  const found = installedPackages(join(root, "app"));
  expect(found.map(({ name, version }) => `${name} ${version}`).sort()).toEqual(["@heddle/core 0.1.0", "undici 6.0.0", "undici 8.12.0"]);
});

test("two links to one folder are one copy, also through pnpm's store", () => {
  const root = folder();
  const store = join(root, "node_modules/.pnpm/undici@8.12.0/node_modules/undici");
  put(store, { version: "8.12.0" });
  symlinkSync(store, join(root, "node_modules/undici"));
  mkdirSync(join(root, "node_modules/.pnpm/x@1.0.0/node_modules"), { recursive: true });
  symlinkSync(store, join(root, "node_modules/.pnpm/x@1.0.0/node_modules/undici"));
  expect(installedPackages(root)).toEqual([{ name: "undici", version: "8.12.0", path: store, peers: {}, api: null }]);
});

test("knows which API of OpenTelemetry a package loads: the nearest one", () => {
  const root = folder();
  const api = (path: string, version: string) => {
    put(path, { version, main: "build/src/index.js" });
    mkdirSync(join(path, "build/src"), { recursive: true });
    writeFileSync(join(path, "build/src/index.js"), "");
  };
  api(join(root, "node_modules/@opentelemetry/api"), "1.9.1");
  const sdk = join(root, "node_modules/@opentelemetry/sdk-trace-node");
  put(sdk, { version: "2.12.0", peerDependencies: { "@opentelemetry/api": ">=1.0.0 <1.10.0" } });
  put(join(root, "node_modules/@heddle/core"), { version: "0.1.0" });
  api(join(root, "node_modules/@heddle/core/node_modules/@opentelemetry/api"), "1.10.0");
  const found = new Map(installedPackages(root).map((one) => [`${one.name} in ${dirname(one.path).slice(root.length)}`, one]));
  expect(found.get("@opentelemetry/sdk-trace-node in /node_modules/@opentelemetry")).toMatchObject({
    api: "1.9.1",
    peers: { "@opentelemetry/api": ">=1.0.0 <1.10.0" },
  });
  expect(found.get("@heddle/core in /node_modules/@heddle")).toMatchObject({ api: "1.10.0" });
});
