import { readFileSync } from "node:fs";
import { loadDocument, type MeshSnapshot, parseDuration } from "@heddle/core";
import fc from "fast-check";
import { expect } from "vitest";
import { checkDocument } from "../../packages/core/src/control/document/check.ts";
import type { ConditionGroup } from "../../packages/core/src/model/authorization.ts";
import { JWT_ALGORITHMS } from "../../packages/core/src/model/jwt.ts";
import { type Change, changed, documents } from "./document-inputs.ts";
import { expectSame, fuzz } from "./fuzz.ts";
import { edited, edits, HOSTILE_NAMES, hostileText, OWN_ERROR, oddValues } from "./hostile.ts";

type Plain = Readonly<Record<string, unknown>>;

const change = (values: fc.Arbitrary<unknown>): fc.Arbitrary<Change> =>
  fc.tuple(
    fc.nat(200),
    fc.constantFrom("replace", "replace", "rename", "add", "remove"),
    fc.oneof(fc.constantFrom("retry", "timeout", "name", "to", ...HOSTILE_NAMES), hostileText(1)),
    values,
  );
const plainValues = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e21,
    "off",
    "",
    "2s",
    "25h",
    [],
    {},
    [[]],
    "__proto__",
    { __proto__: null },
    "GET",
  ),
  hostileText(2),
);
const plain = fc
  .tuple(documents, fc.array(change(plainValues), { maxLength: 2 }))
  .map(([document, changes]) => changed(document, changes) as Plain);

const isObject = (value: unknown): value is Plain => typeof value === "object" && value !== null && !Array.isArray(value);
const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce((held, key) => (isObject(held) && Object.hasOwn(held, key) ? held[key] : undefined), value);

/** What holds for a service, by the order of the reference: its own word, then what it uses, the last first, then the defaults. */
function inForce(document: Plain, service: unknown, policy: string): unknown {
  const use = at(service, "use");
  const named = (use === undefined ? [] : [use].flat()).toReversed().map((name) => at(document, "policies", String(name), policy));
  return [at(service, policy), ...named, at(document, "defaults", policy)].find((value) => value !== undefined);
}

/** Of each condition: whether it is inverted, and among how many values it chooses. In the order of the keys' names, which is any. */
function asked(group: ConditionGroup): string {
  const each = group.map((condition) => {
    if (condition.kind === "group") throw new Error("documents have no groups");
    const values = "values" in condition ? condition.values : "blocks" in condition ? condition.blocks : condition.ranges;
    return `${condition.not ? "not " : ""}${values.length}`;
  });
  return each.sort().join(", ");
}

function written(...groups: readonly Plain[]): string {
  return groups
    .flatMap((group) => Object.entries(group))
    .flatMap(([key, values]) => (Array.isArray(values) ? [`${/^not[A-Z]/.test(key) ? "not " : ""}${values.length}`] : []))
    .sort()
    .join(", ");
}

/** Nothing is granted that the document does not grant, and nothing is looser than it says. */
function expectNothingLoosened(document: Plain, snapshot: MeshSnapshot): void {
  expectSame(snapshot.egress, at(document, "mesh", "egress") ?? "allow");
  const services = Object.entries((document.services ?? {}) as Plain);
  expectSame(
    [...snapshot.inboundPolicies.keys()],
    services.map(([name]) => name),
  );
  for (const [name, service] of services) {
    const policy = snapshot.inboundPolicies.get(name);
    expectSame(
      [policy?.trustHeaders, policy?.mtls],
      [at(document, "mesh", "trustHeaders") === true, at(service, "inbound", "mtls") ?? "automatic"],
    );
    expectSame(policy?.trustedPeers, at(service, "inbound", "trustedPeers") ?? []);
    const authorize = (at(service, "inbound", "authorize") ?? []) as readonly Plain[];
    expectSame(
      (policy?.authorization?.policies ?? []).map((each) => [each.name, each.action, each.mode]),
      authorize.map((each) => [each.name, each.action ?? "allow", each.mode ?? "enforce"]),
    );
    for (const [index, each] of authorize.entries())
      expectSame(
        policy?.authorization?.policies[index]?.rules.map(({ from, to, when }) => [from.map(asked), to.map(asked), asked(when)]),
        ((each.rules ?? [each]) as readonly Plain[]).map(({ from, to, when }) => [
          ((from ?? []) as readonly Plain[]).map((group) => written(group)),
          ((to ?? []) as readonly Plain[]).map((group) => written(group)),
          written(...((when ?? []) as readonly Plain[])),
        ]),
      );
    const rules = (at(service, "inbound", "jwt") ?? []) as readonly Plain[];
    expectSame(
      policy?.jwt.map((rule) => [rule.issuer, rule.audiences, rule.algorithms, rule.forward]),
      rules.map((rule) => [rule.issuer, rule.audiences ?? [], rule.algorithms ?? JWT_ALGORITHMS, rule.forward ?? false]),
    );
  }
  for (const [index, [name, service]] of services.entries()) {
    const routes = (at(service, "routes") ?? []) as readonly Plain[];
    const hosts = (at(service, "hosts") ?? [name]) as readonly string[];
    const virtualHost = snapshot.virtualHosts[index];
    expectSame(
      virtualHost?.authorities,
      hosts.map((host) => host.toLowerCase()),
    );
    expectSame(virtualHost?.routes.length, Math.max(1, routes.length));
    if (routes.length > 0) continue;
    expectRetry(inForce(document, service, "retry"), virtualHost?.routes[0]?.retry);
    expectTimeout(inForce(document, service, "timeout"), virtualHost?.routes[0]?.timeout);
    expectLimits(inForce(document, service, "limits"), snapshot.backends.get(name)?.limits);
  }
}

function expectRetry(written: unknown, found: unknown): void {
  if (written === undefined || written === "off") {
    expectSame(found, written ?? null);
    return;
  }
  expectSame(
    [at(found, "maxRetries"), at(found, "on"), at(found, "methods")],
    [
      at(written, "maxRetries") ?? 2,
      at(written, "on") ?? ["connect-failure", "refused-stream", "reset", 503],
      at(written, "methods") ?? ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"],
    ],
  );
}

function expectTimeout(written: unknown, found: unknown): void {
  if (written === undefined || written === "off") {
    expectSame(found, null);
    return;
  }
  const total = isObject(written) ? at(written, "total") : written;
  const totalMs = total === undefined || total === "off" ? null : parseDuration(total);
  expectSame(found === null ? null : at(found, "totalMs"), totalMs);
}

function expectLimits(written: unknown, found: unknown): void {
  const isOff = written === "off";
  const most = at(written, "maxRequests");
  expectSame(
    [at(found, "maxConnections"), at(found, "maxPending"), at(found, "maxRequests")],
    isOff
      ? [65_535, Number.POSITIVE_INFINITY, null]
      : [at(written, "maxConnections") ?? 100, at(written, "maxPending") ?? 1_000, most === "off" ? null : (most ?? null)],
  );
}

let taken = 0;
let refused = 0;
let guarded = 0;

fuzz("a document is taken as it is written, or refused with what is wrong; text and object alike", plain, (document) => {
  const text = JSON.stringify(document);
  const fromText = loadDocument(text, "mesh.yaml");
  const fromObject = loadDocument(JSON.parse(text) as object, "mesh.yaml");
  expectSame(fromText.snapshot === null, fromObject.snapshot === null);
  expectSame(fromText.problems.length, fromObject.problems.length);
  if (fromObject.snapshot === null) {
    refused++;
    expectSame(
      fromObject.problems.some(({ severity }) => severity === "error"),
      true,
    );
    return;
  }
  taken++;
  if ([...fromObject.snapshot.inboundPolicies.values()].some(({ authorization }) => authorization?.policies.length)) guarded++;
  const written = JSON.parse(text) as Plain;
  // Nothing is dropped, added or changed on the way.
  expectSame(JSON.parse(JSON.stringify(checkDocument(written).document)), written);
  expectNothingLoosened(written, fromObject.snapshot);
  expectSame(fromText.snapshot?.backends.size, fromObject.snapshot.backends.size);
  if (fromText.snapshot) expectNothingLoosened(written, fromText.snapshot);
});

fuzz(
  "settings for the code's own layers are what JSON can say of them, however they are knotted",
  fc.array(oddValues, { maxLength: 2 }),
  (values) => {
    try {
      const { snapshot } = loadDocument({ apiVersion: "heddle/v1", services: { a: { layers: [{ use: "x", with: values }] } } }, "code");
      if (snapshot === null) return;
      const found = snapshot.virtualHosts[0]?.layers[0]?.settings;
      expectSame(JSON.stringify(found), JSON.stringify(values));
    } catch (error) {
      if (error !== OWN_ERROR) throw error;
    }
  },
);

fuzz(
  "an object of the code is refused where it holds what no text can say, whatever that does when it is looked at",
  fc.tuple(documents, fc.array(change(oddValues), { minLength: 1, maxLength: 3 })),
  ([document, changes]) => {
    try {
      const { snapshot, problems } = loadDocument(changed(document, changes), "code");
      expectSame(
        snapshot === null,
        problems.some(({ severity }) => severity === "error"),
      );
    } catch (error) {
      if (error !== OWN_ERROR) throw error;
    }
  },
);

const EXAMPLES = ["http-basic", "protect-a-database", "own-layer"].map((name) =>
  readFileSync(new URL(`../../examples/${name}/mesh.yaml`, import.meta.url), "utf8")
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n"),
);
const YAML = [
  "&a ",
  "*a",
  "<<: *a\n",
  "!!str ",
  "!!binary ",
  "!<tag:x> ",
  "? ",
  "- ",
  "{",
  "}",
  "[",
  "]",
  "|\n",
  ">-\n",
  "'",
  '"',
  "\\",
  "\ufeff",
  "\0",
  "\ud800",
  "\t",
  "\r",
  "\u0085",
  "---\n",
  "...\n",
  "%YAML 1.1\n",
  "#",
  ": ",
  ",",
  "~",
  "1e999",
  "0o17",
  ".nan",
  "2026-01-01",
  "__proto__: ",
  "constructor: {}\n",
  "  ",
  "\n",
];

fuzz(
  "a spoilt example is an example still, or is refused in its lines",
  fc.tuple(fc.constantFrom(...EXAMPLES), edits(YAML, 4), fc.constantFrom("mesh.yaml", "mesh.yaml", "mesh.yaml", "mesh.json")),
  ([example, changes, file]) => {
    const { snapshot, problems } = loadDocument(edited(example, changes), file);
    const errors = problems.filter(({ severity }) => severity === "error");
    expectSame(snapshot === null, errors.length > 0);
    for (const { where } of problems) expectSame(/^mesh\.(yaml|json)(:\d+:\d+)?$/.test(where), true, where);
    if (snapshot) for (const { trustHeaders } of snapshot.inboundPolicies.values()) expectSame(trustHeaders, false);
    if (changes.length === 0 && file === "mesh.yaml") expect(snapshot).not.toBeNull();
  },
);

const depth = fc.integer({ min: 1, max: 2_000 });
const bombs = fc.oneof(
  fc
    .tuple(depth, fc.constantFrom(["[", "]"], ["{a: ", "}"], ["- ", ""], ["? ", ""], ["!!seq [", "]"]))
    .map(([times, [open, close]]) => `${(open ?? "").repeat(times)}1${(close ?? "").repeat(times)}`),
  fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })).map(([levels, width]) => {
    const lines = Array.from(
      { length: levels },
      (_, level) => `a${level}: &a${level} [${Array.from({ length: width }, () => (level === 0 ? "x" : `*a${level - 1}`)).join(",")}]`,
    );
    return `apiVersion: heddle/v1\n${lines.join("\n")}\n`;
  }),
  fc.integer({ min: 1, max: 20_000 }).map((length) => `apiVersion: ${"x".repeat(length)}`),
  fc.integer({ min: 2, max: 300 }).map((times) => `apiVersion: heddle/v1\nservices:\n${"  reviews: {}\n".repeat(times)}`),
  fc.integer({ min: 1, max: 300 }).map((times) => `apiVersion: heddle/v1\n${"&a ".repeat(times)}b: 1\n`),
  fc.constantFrom("&a [*a]", "a: &a {b: *a, c: *a}", "*a", "&a a: *a", "? &a [1]\n: *a", "- &a x\n- &a y\n- *a"),
);

// A bound of its own: aliases may repeat up to 100,000 values, which is work.
fuzz(
  "what is made to swell is refused in bounded time",
  bombs,
  (text) => {
    const { snapshot, problems } = loadDocument(text, "mesh.yaml");
    expectSame([snapshot, problems.length > 0 && problems.length <= 1_000], [null, true]);
  },
  { share: 0.05, slowestMs: 500 },
);

fuzz(
  "documents of the schema are neither all taken nor all refused",
  fc.constant(0),
  () => {
    expectSame(guarded > 0.002 * taken, true, `${guarded} of ${taken} authorize`);
    expectSame([taken > 0.1 * (taken + refused), refused > 0.1 * (taken + refused)], [true, true], `${taken} taken, ${refused} refused`);
  },
  { share: 1e-9 },
);
