import fc from "fast-check";
import { expect, test } from "vitest";
import type { Problem } from "../model/problem.ts";
import type { MeshSnapshot } from "../model/snapshot.ts";
import { ComposeMemory, compose, type Said } from "./compose.ts";
import { LastVersion, type Loaded, loadWritten, type WrittenDocument } from "./written-document.ts";

/** One file of a mesh and what is known of it from before, or nothing at all. */
class Reader {
  readonly #last = new LastVersion();
  readonly #memory = new ComposeMemory();
  readonly #standing: { readonly isAlone: boolean; readonly isOptional: false };

  constructor(isAlone: boolean) {
    this.#standing = { isAlone, isOptional: false };
  }

  afterBefore(text: string, beside: readonly WrittenDocument[] = []): Result {
    return this.#composed(loadWritten(text, "mesh.yaml", this.#standing, this.#last), beside, this.#memory);
  }

  anew(text: string, beside: readonly WrittenDocument[] = []): Result {
    return this.#composed(loadWritten(text, "mesh.yaml", this.#standing), beside, new ComposeMemory());
  }

  #composed({ value, problems }: Loaded<WrittenDocument>, beside: readonly WrittenDocument[], memory: ComposeMemory): Result {
    if (value === null) return { snapshot: null, problems, written: null };
    const said: Said[] = [{ kind: "documents", documents: [...beside, value] }];
    const composed = compose(said, this.#standing.isAlone, () => [], memory);
    return { snapshot: composed.snapshot, problems: [...problems, ...composed.problems], written: value };
  }
}

interface Result {
  readonly snapshot: MeshSnapshot | null;
  readonly problems: readonly Problem[];
  readonly written: WrittenDocument | null;
}

const NAMES = ["a", "b", "web", "shop.example", "7"];
const LINES = [
  "    endpoints:",
  "      - address: 10.0.0.1:80",
  "      - { address: 10.0.0.2:80, labels: { v: '1' } }",
  "    endpoints: [{ address: 10.0.0.3:80 }]",
  "    timeout: 3s",
  "    timeout:",
  "    retry: { perTryTimeout: 10s }",
  "    retry: { maxRetries: 2 }",
  "    subsets: { v1: { labels: { v: '1' } } }",
  "    use: calm",
  "    routes:",
  "    - to: [{ service: a, subset: v1 }]",
  "    - match: { path: { prefix: /x } }",
  "      to: [{ service: b }]",
  "    hosts: [web]",
  "    fallback: { service: web }",
  "    # a comment",
  "  # another",
  "# one more",
  "",
  "   ",
  "    timeout: &slow 3s",
  "    timeout: *slow",
  "    timeout: !!str 3s",
  "    policy: |",
  "      mine",
  "    policy: 'one",
  '    policy: "one',
  "  two'",
  '  two"',
  "    policy: one",
  "      more",
  "    endpoints: [",
  "  ]",
  "  { a: 1 }",
  "  - b",
  "  ? c",
  " d: 1",
  "e: 1",
  "\ttab: 1",
  "---",
  "...",
  "%YAML 1.1",
  "services:",
  "defaults: { timeout: 1s }",
  "defaults: { retry: { perTryTimeout: 500ms } }",
  "policies: { calm: { timeout: 2s } }",
  "mesh: { trustHeaders: true }",
  "mesh: { identityTemplate: 'spiffe://a.example/{service}' }",
  "mesh: { identityTemplate: 'spiffe://{trustDomain}/{service}', trustDomain: b.example }",
  "mesh: { identityTemplate: 'spiffe://{trustDomain}/{service}' }",
  "    tls: { mode: mutual }",
  "    identities: [spiffe://a.example/x]",
  "    inbound: { trustedHops: 1 }",
  "    inbound:",
  "      authorize: [{ name: reads, to: [{ paths: [/api/*] }] }]",
  "      authorize: [{ name: reads, to: [{ paths: [api] }] }]",
  "      jwt: [{ issuer: a, jwks: { file: keys.json } }]",
  "  web: null",
  "    retry: null",
  "  __proto__: {}",
  "  !!str web:",
  "  'b':",
];

const name = fc.constantFrom(...NAMES);
const line = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...LINES) },
  { weight: 2, arbitrary: name.map((service) => `  ${service}:`) },
);
/** A document in lines that is mostly right, so that edits are made to something. */
const start = fc
  .uniqueArray(name, { maxLength: 4 })
  .map((names) => [
    "apiVersion: heddle/v1",
    "services:",
    ...names.flatMap((service, index) => [`  ${service}:`, `    timeout: ${index + 1}s`]),
  ]);

interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: readonly string[];
}

const edit: fc.Arbitrary<Edit> = fc.record({ at: fc.nat(30), remove: fc.nat(3), insert: fc.array(line, { maxLength: 3 }) });
const edits = fc.array(fc.oneof(edit, fc.constant<Edit>({ at: 0, remove: 0, insert: [] })), { minLength: 1, maxLength: 8 });

function edited(lines: readonly string[], { at, remove, insert }: Edit): string[] {
  const from = at % (lines.length + 1);
  return [...lines.slice(0, from), ...insert, ...lines.slice(from + remove)];
}

const PATHS = NAMES.flatMap((service) => [
  ["services", service],
  ["services", service, "endpoints", 0, "address"],
  ["services", service, "routes", 0, "to", 0],
  ["services", service, "timeout"],
]);

function depict({ snapshot, problems, written }: Result): unknown {
  const places = [[], ["services"], ["defaults", "timeout"], ["none"], ...PATHS].map((path) => [
    written?.places.where(path, "key"),
    written?.places.where(path, "value"),
  ]);
  return { snapshot, problems, document: written?.document, removals: written?.removals, places };
}

const BESIDE = loadWritten(
  "apiVersion: heddle/v1\npolicies: { calm: { timeout: 7s } }\nservices: { web: {}, a: { timeout: 9s } }\n",
  "other.yaml",
  { isAlone: false, isOptional: false },
).value as WrittenDocument;

test("after any edits of any document it is read, checked and translated as if it had never been read before", () => {
  fc.assert(
    fc.property(start, edits, fc.boolean(), fc.constantFrom("\n", "\r\n"), (first, changes, isAlone, end) => {
      const reader = new Reader(isAlone);
      const beside = isAlone ? [] : [BESIDE];
      let lines = first;
      for (const change of [{ at: 0, remove: 0, insert: [] }, ...changes]) {
        lines = edited(lines, change);
        const text = lines.join(end);
        expect(depict(reader.afterBefore(text, beside))).toEqual(depict(reader.anew(text, beside)));
        // A mistake is often mended by going back.
        if (change.at % 3 === 0) lines = first;
      }
    }),
    { numRuns: 1_000 },
  );
});

function documentOf(services: readonly string[], before = ""): string {
  return `apiVersion: heddle/v1\n${before}services:\n${services.join("")}`;
}

const service = (name: string, timeout = "1s"): string =>
  `  ${name}:\n    endpoints: [{ address: 10.0.0.1:80 }]\n    timeout: ${timeout}\n`;
const parts = ({ snapshot }: Result, name: string): readonly unknown[] => [
  snapshot?.virtualHosts.find((host) => host.name === name),
  snapshot?.backends.get(name),
  snapshot?.endpointSets.get(name),
  snapshot?.inboundPolicies.get(name),
];

test.each([true, false])("what an edit leaves as it was stays the same objects, whether the document is alone: %s", (isAlone) => {
  const reader = new Reader(isAlone);
  const before = reader.afterBefore(documentOf([service("a"), service("b"), service("c")]));
  const after = reader.afterBefore(documentOf([service("a"), service("b", "2s"), service("c"), service("d")]));
  expect(after.problems).toEqual([]);
  for (const name of ["a", "c"]) {
    expect(after.written?.document.services?.[name]).toBe(before.written?.document.services?.[name]);
    for (const [index, part] of parts(after, name).entries()) expect(part).toBe(parts(before, name)[index]);
  }
  expect(after.snapshot?.virtualHosts[1]?.routes[0]?.timeout?.totalMs).toBe(2_000);
});

test("what has only moved is read no more, and is told where it stands now", () => {
  const reader = new Reader(true);
  const before = reader.afterBefore(documentOf([service("b")]));
  const after = reader.afterBefore(documentOf([service("a"), service("b")]));
  expect(after.written?.document.services?.b).toBe(before.written?.document.services?.b);
  expect(after.snapshot?.backends.get("b")?.origin).toBe("mesh.yaml:6:3");
  expect(after.snapshot?.backends.get("b")?.policyFrom).toEqual({});
});

test.each([
  {
    what: "an anchor of one service that another refers to",
    versions: ["services:\n  a: { timeout: &t 1s }\n  b: { timeout: *t }", "services:\n  a: { timeout: &t 2s }\n  b: { timeout: *t }"],
  },
  { what: "services that stand in brackets", versions: ["services:\n  a: {}", "{\napiVersion: heddle/v1,\nservices:\n  a: {}\n}"] },
  { what: "services twice", versions: ["services:\n  a: {}", "services:\n  a: {}\nservices:\n  b: {}"] },
  { what: "a service twice", versions: ["services:\n  a: {}\n  b: {}", "services:\n  a: {}\n  b: {}\n  a: {}"] },
  { what: "services that are a text", versions: ["services:\n  a: {}", "x-note: |\n services:\n  a: {}\nservices: |\n  a: {}"] },
  { what: "services that end the document", versions: ["services:\n  a: {}", "services:\n  a: {}\n...\n  b: {}"] },
  { what: "another version of YAML", versions: ["services:\n  a: { timeout: off }", "%YAML 1.1\n---\nservices:\n  a: { timeout: off }"] },
])("$what cannot be read apart from each other, and is not", ({ versions }) => {
  const reader = new Reader(true);
  for (const version of versions) {
    const text = version.includes("apiVersion") || version.startsWith("%") ? version : `apiVersion: heddle/v1\n${version}\n`;
    expect(depict(reader.afterBefore(text))).toEqual(depict(reader.anew(text)));
  }
});

test("a service that others refer to cannot be taken away unnoticed", () => {
  const reader = new Reader(true);
  const refers = "  a:\n    routes: [{ to: [{ service: b }] }]\n";
  expect(reader.afterBefore(documentOf([refers, service("b")])).problems).toEqual([]);
  expect(reader.afterBefore(documentOf([refers])).problems).toEqual(reader.anew(documentOf([refers])).problems);
  expect(reader.afterBefore(documentOf([refers])).problems).toHaveLength(1);
});

test("what a service inherits is taken anew when it changes, and when it moves", () => {
  const reader = new Reader(true);
  const defaults = (timeout: string): string => `defaults:\n  timeout: ${timeout}\n`;
  const web = "  web:\n    endpoints: []\n";
  const route = (result: Result) => result.snapshot?.virtualHosts[0]?.routes[0];
  expect(route(reader.afterBefore(documentOf([web], defaults("1s"))))?.timeout?.totalMs).toBe(1_000);
  expect(route(reader.afterBefore(documentOf([web], defaults("2s"))))?.timeout?.totalMs).toBe(2_000);
  const moved = reader.afterBefore(`apiVersion: heddle/v1\n${defaults("2s").replace("\n", "\n\n")}services:\n${web}`);
  expect(route(moved)?.policyFrom.timeout).toBe("mesh.yaml:4:3 (defaults.timeout)");
});

test("an edit of the mesh's identities reaches every service, though none of them changed", () => {
  const reader = new Reader(true);
  const mesh = (words: string): string => documentOf(["  web:\n    endpoints: []\n    tls: { mode: mutual }\n"], `mesh: { ${words} }\n`);
  const template = "identityTemplate: 'spiffe://{trustDomain}/ns/{namespace}/sa/{service}'";
  const identities = (words: string) => reader.afterBefore(mesh(words)).snapshot?.backends.get("web")?.tls.identities;
  expect(identities(`${template}, trustDomain: a.example`)).toEqual(["spiffe://a.example/ns/default/sa/web"]);
  expect(identities(`${template}, trustDomain: b.example`)).toEqual(["spiffe://b.example/ns/default/sa/web"]);
  expect(identities(`${template}, trustDomain: b.example, namespace: shop`)).toEqual(["spiffe://b.example/ns/shop/sa/web"]);
  const without = reader.afterBefore(mesh("trustDomain: b.example"));
  expect(without.problems.map(({ message }) => message)).toEqual([expect.stringContaining("nothing says who its servers are")]);
});
