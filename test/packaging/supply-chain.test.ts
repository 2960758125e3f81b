import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readAudit } from "../../scripts/supply-chain/audit.ts";
import { isAllowed, licenceIn, licenceRows } from "../../scripts/supply-chain/licences.ts";
import { type Lock, type LockEntry, readLock } from "../../scripts/supply-chain/lock-file.ts";
import { lockProblems } from "../../scripts/supply-chain/lock-rules.ts";
import { broughtBy } from "../../scripts/supply-chain/run-time.ts";
import { sbomOf, sbomProblems } from "../../scripts/supply-chain/sbom.ts";
import { root } from "./installation.ts";

const CLEAN: LockEntry = { version: "1.0.0", license: "MIT", integrity: "sha512-x" };

/** A repository with one package, which brings `direct` and, through it, a `deep` of its own; `tool` is for development. */
function lockWith(changed: Lock = {}): Lock {
  return {
    "": {},
    "packages/app": { version: "0.1.0", license: "MIT", dependencies: { direct: "^1.0.0" } },
    "node_modules/app": { link: true, resolved: "packages/app" },
    "node_modules/direct": { ...CLEAN, dependencies: { deep: "^2.0.0" }, optionalDependencies: { elsewhere: "^1.0.0" } },
    "node_modules/direct/node_modules/deep": { ...CLEAN, version: "2.0.0" },
    "node_modules/deep": CLEAN,
    "node_modules/tool": { ...CLEAN, license: "MPL-2.0" },
    ...changed,
  };
}

function refused(lock: Lock): readonly string[] {
  return licenceRows(lock, () => undefined)
    .filter(({ isAllowed }) => !isAllowed)
    .map((row) => `${row.package}, ${row.use}: ${row.licence}`);
}

test("what is brought is found as Node finds it, nested before hoisted", () => {
  expect(broughtBy(lockWith(), "packages/app").map(({ name, version }) => `${name}@${version}`)).toEqual(["deep@2.0.0", "direct@1.0.0"]);
});

test("required peers are brought, optional ones are not", () => {
  const peers = { peerDependencies: { deep: "1", tool: "1" }, peerDependenciesMeta: { tool: { optional: true } } };
  const lock = lockWith({ "packages/app": { version: "0.1.0", ...peers } });
  expect(broughtBy(lock, "packages/app").map(({ name, version }) => `${name}@${version}`)).toEqual(["deep@1.0.0"]);
});

test("a copyleft licence deep down in what is brought is refused", () => {
  expect(refused(lockWith())).toEqual([]);
  const infected = lockWith({ "node_modules/direct/node_modules/deep": { ...CLEAN, version: "2.0.0", license: "GPL-3.0-only" } });
  expect(refused(infected)).toEqual(["deep@2.0.0, run time: GPL-3.0-only"]);
});

test("a licence that is good enough for a tool is not for what is brought, and GPL is for neither", () => {
  expect(refused(lockWith({ "node_modules/direct": { ...CLEAN, license: "MPL-2.0" } }))).toEqual(["direct@1.0.0, run time: MPL-2.0"]);
  expect(refused(lockWith({ "node_modules/tool": { ...CLEAN, license: "GPL-2.0" } }))).toEqual(["tool@1.0.0, development: GPL-2.0"]);
});

test("a package that names no licence is refused", () => {
  expect(refused(lockWith({ "node_modules/tool": { version: "1.0.0" } }))).toEqual(["tool@1.0.0, development: none named"]);
});

test.each([
  ["MIT", true],
  ["(MIT OR GPL-3.0)", true],
  ["MIT AND ISC", true],
  ["MIT AND GPL-3.0", false],
  ["GPL-2.0 OR GPL-3.0", false],
  ["MIT OR GPL-3.0 AND ISC", true],
  ["GPL-3.0 AND MIT OR ISC AND GPL-3.0", false],
  ["SEE LICENSE IN LICENSE", false],
])("of the licence %s", (expression, expected) => {
  expect(isAllowed(expression, new Set(["MIT", "ISC"]))).toBe(expected);
});

test("licences in the forms of older manifests are read", () => {
  expect(licenceIn({ license: "MIT" })).toBe("MIT");
  expect(licenceIn({ license: { type: "ISC" } })).toBe("ISC");
  expect(licenceIn({ licenses: [{ type: "MIT" }, { type: "GPL-2.0" }] })).toBe("MIT OR GPL-2.0");
  expect(licenceIn({})).toBeUndefined();
});

test("install scripts, deprecation and missing integrity are found in a lock file", () => {
  const lock = lockWith({
    "node_modules/direct": { ...CLEAN, hasInstallScript: true, deprecated: "use another" },
    "node_modules/deep": { version: "1.0.0", license: "MIT" },
    "node_modules/tool": { ...CLEAN, hasInstallScript: true },
  });
  expect(lockProblems(lock, new Set(["tool"]))).toEqual([
    "direct@1.0.0 runs a script when it is installed, and allowScripts of package.json does not name it",
    "deep@1.0.0 has no integrity, so that npm takes whatever is served",
    "direct@1.0.0, which packages/app brings, is deprecated: use another",
    "direct@1.0.0, which packages/app brings, runs a script when it is installed",
  ]);
  expect(lockProblems(lockWith(), new Set())).toEqual([]);
});

const report = (vulnerabilities: object) => JSON.stringify({ auditReportVersion: 2, vulnerabilities, metadata: { vulnerabilities: {} } });
const advisory = { title: "Reads too much", url: "https://github.com/advisories/GHSA-x" };

test("an audit is clean, or found something from its level on", () => {
  expect(readAudit(report({}), "low")).toEqual({ kind: "clean" });
  const found = report({ direct: { severity: "moderate", via: [advisory, "deep"] } });
  expect(readAudit(found, "high")).toEqual({ kind: "clean" });
  expect(readAudit(found, "low")).toEqual({
    kind: "found",
    advisories: ["direct, moderate: Reads too much (https://github.com/advisories/GHSA-x); through deep"],
  });
  expect(readAudit(report({ direct: { severity: "unheard of" } }), "critical").kind).toBe("found");
});

test("only a registry that answers without an audit is told apart; all else that is no report is a failure", () => {
  expect(readAudit(JSON.stringify({ message: "405 Method Not Allowed", statusCode: 405 }), "low").kind).toBe("not offered");
  expect(readAudit(JSON.stringify({ message: "500 Internal Server Error", statusCode: 500 }), "low").kind).toBe("failed");
  expect(readAudit(JSON.stringify({ message: "connect ECONNREFUSED" }), "low").kind).toBe("failed");
  for (const text of ["", "{}", "null", "npm error"]) expect(readAudit(text, "low").kind).toBe("failed");
});

test("the bill of materials of heddle names exactly what installing it brings", { timeout: 60_000 }, () => {
  const lock = readLock(root);
  const sbom = sbomOf(lock, "packages/heddle");
  expect(sbomProblems(sbom, lock, "packages/heddle")).toEqual([]);
  expect(sbom.components.map(({ purl }) => purl)).toContain(`pkg:npm/undici@${lock["node_modules/undici"]?.version}`);
  const [first, ...rest] = sbom.components;
  expect(sbomProblems({ ...sbom, components: rest }, lock, "packages/heddle")).toEqual([
    `bill of materials of packages/heddle: ${decodeURIComponent(first?.purl ?? "")} is brought, but not named`,
  ]);
});

test("only the Node that this repository runs on may run a script when it is installed, and protobufjs, whose script compares two versions", () => {
  const { allowScripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly allowScripts: unknown };
  expect(allowScripts).toEqual({ node: true, protobufjs: true });
});
