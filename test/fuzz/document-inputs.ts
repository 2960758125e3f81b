import fc from "fast-check";
import { FORMATS, type FormatName } from "../../packages/core/src/control/document/formats.ts";
import type { Kind, ObjectKind } from "../../packages/core/src/control/document/kinds.ts";
import { DOCUMENT } from "../../packages/core/src/control/document/schema.ts";
import { inbound } from "../../packages/core/src/control/document/schema-security.ts";

// Documents made from the schema: what it allows, in the few names that make references meet.

/** Of P-256: the generator itself, which is a point of the curve. */
const PUBLIC_KEY = {
  kty: "EC",
  crv: "P-256",
  kid: "one",
  x: "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
  y: "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
};

const NAMES = ["reviews", "ratings", "v1"];

/** Claimed by no host of another service. */
const GUARDED = "guarded";

const SAMPLES: Readonly<Record<FormatName, readonly string[]>> = {
  text: ["a", "", "heddle"],
  "filled text": ["a", "*", "/api/*", "spiffe://shop.example/web", "GET", "10.0.0.0/8", "443", "__proto__"],
  "trust domain": ["shop.example", "a"],
  "identity template": ["spiffe://{trustDomain}/{service}", "spiffe://shop.example/ns/{namespace}/sa/{service}"],
  "path segment": ["default", "shop"],
  "spiffe id pattern": ["spiffe://shop.example/web", "spiffe://shop.example/*"],
  "certificate name": ["api.example", "10.0.0.1", "spiffe://a/b"],
  "file path": ["/etc/ca.pem", "ca.pem"],
  "jwks url": ["https://issuer.example/keys", "http://127.0.0.1:1/keys"],
  "jwt issuer": ["https://issuer.example", "a"],
  "header prefix": ["Bearer ", "token:"],
  "condition key": ["source.ip", "request.headers[x-team]", "request.auth.claims[a][b]", "destination.port"],
  name: NAMES,
  "route name": ["first", "second"],
  label: ["version", "v1"],
  address: ["127.0.0.1:9081", "[::1]:80", "reviews:1"],
  "dns name": ["reviews.internal:9080", "_http._tcp.reviews"],
  "socket path": ["/run/reviews.sock"],
  "host claim": ["reviews", "*.shop", "reviews:80"],
  authority: ["reviews", "reviews:80"],
  host: ["reviews"],
  "header to match": ["x-user", "constructor", "__proto__"],
  "header to change": ["x-env", "constructor", "__proto__"],
  "header value": ["prod", ""],
  "query parameter": ["q", "__proto__"],
  "grpc service": ["Ratings", "shop.v1.Ratings", "_a._b"],
  "grpc method": ["Get", "get_rating"],
  method: ["GET", "POST"],
  path: ["/", "/api", "/v2"],
  "path text": ["api", ".html"],
  regex: ["a.*", "(a|b)+"],
  substitution: ["/x", "\\0"],
};

/** What is right under one key, where the kind alone allows much that is not: without these, hardly a policy would be. */
const OF_KEYS: Readonly<Record<string, readonly unknown[]>> = {
  "JwksDocument.inline": [{ keys: [PUBLIC_KEY] }, { keys: [] }, { keys: [{ kty: "oct", k: "c2VjcmV0" }] }],
  "AuthorizeFromDocument.principals": ["spiffe://shop.example/web", "shop.example/*", "*"],
  "AuthorizeFromDocument.trustDomains": ["shop.example", "*"],
  "AuthorizeFromDocument.namespaces": ["shop", "sh*"],
  "AuthorizeFromDocument.serviceAccounts": ["shop/web"],
  "AuthorizeFromDocument.requestPrincipals": ["https://issuer.example/*", "*"],
  "AuthorizeFromDocument.ipBlocks": ["10.0.0.0/8", "::1", "10.0.0.1"],
  "AuthorizeFromDocument.remoteIpBlocks": ["0.0.0.0/0"],
  "AuthorizeToDocument.hosts": ["reviews", "*.shop", "Reviews:80"],
  "AuthorizeToDocument.ports": ["80", "9081"],
  "AuthorizeToDocument.methods": ["GET", "P*", "get"],
  "AuthorizeToDocument.paths": ["/api/*", "/v/{*}/x", "/{**}", "*.html", "api", "/a/../b"],
  "AuthorizeWhenDocument.values": ["10.0.0.1", "80", "a*", "*"],
};

/** The inverse of a key has the values of the key. */
function valuesOf(object: string, key: string, kind: Kind): fc.Arbitrary<unknown> {
  const upright = key.replace(/^not([A-Z])/, (_, letter: string) => letter.toLowerCase());
  const values = OF_KEYS[`${object}.${upright}`];
  if (!values) return lazily(kind);
  const one = fc.constantFrom(...values);
  return kind.kind === "list" ? fc.array(one, { minLength: kind.atLeast ?? 0, maxLength: 2 }) : one;
}

/** Anything that this kind allows, and a little that only the checks across fields refuse. */
function anyOf(kind: Kind): fc.Arbitrary<unknown> {
  switch (kind.kind) {
    case "object":
      return objectOf(kind);
    case "map":
      return fc
        .uniqueArray(fc.tuple(fc.constantFrom(...SAMPLES[kind.keyFormat]), anyOf(kind.of)), {
          minLength: kind.atLeast ?? 0,
          maxLength: 2,
          selector: ([name]) => name,
        })
        .map((entries) => own(entries));
    case "list":
      return fc.array(anyOf(kind.of), { minLength: kind.atLeast ?? 0, maxLength: 2 });
    case "off":
      return fc.oneof({ weight: 4, arbitrary: anyOf(kind.or) }, { weight: 1, arbitrary: fc.constant("off") });
    case "either":
      return fc.oneof(anyOf(kind.scalar), anyOf(kind.object));
    case "string":
      return fc.constantFrom(...SAMPLES[kind.format]);
    case "integer":
      return fc.constantFrom(kind.min, Math.min(kind.max, kind.min + 2), kind.max);
    case "boolean":
      return fc.boolean();
    case "true":
      return fc.constant(true);
    case "duration":
      return fc.constantFrom("250ms", "1s", 2_000, "10s");
    case "enum":
      return fc.constantFrom<unknown>(...kind.values);
    case "condition":
      return fc.constantFrom<unknown>(...kind.words, kind.minStatus, kind.maxStatus);
    case "percent":
      return fc.constantFrom(0, 0.5, 100);
    case "json":
      return fc.constantFrom<unknown>(null, 1, "a", [1, [2]], { a: { b: null } });
    default:
      return kind satisfies never;
  }
}

/** Few keys, so that many documents are right as a whole. */
function objectOf({ name: object, keys, choice }: ObjectKind): fc.Arbitrary<unknown> {
  const required = Object.keys(keys).filter((name) => keys[name]?.required);
  const optional = Object.keys(keys).filter((name) => !keys[name]?.required && !choice?.of.includes(name));
  const chosen = fc.constantFrom(...(choice ? [...choice.of, ...(choice.required ? [] : [undefined])] : [undefined]));
  const picked = fc.tuple(fc.uniqueArray(fc.constantFrom(...(optional.length > 0 ? optional : [""])), { maxLength: 2 }), chosen);
  return picked.chain(([some, one]) => {
    const names = [...required, ...some, ...(one === undefined ? [] : [one])].filter((name) => name !== "");
    return fc
      .tuple(...names.map((name) => valuesOf(object, name, keys[name]?.kind as Kind)))
      .map((values) => own(names.map((name, index) => [name, values[index]])));
  });
}

const made = new Map<Kind, fc.Arbitrary<unknown>>();

function lazily(kind: Kind): fc.Arbitrary<unknown> {
  const known = made.get(kind) ?? anyOf(kind);
  made.set(kind, known);
  return known;
}

/** `__proto__` too is a key like any other. */
function own(entries: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(entries);
}

/** The format of every sample is checked here once: one that is none would only ever test refusals. */
for (const [format, samples] of Object.entries(SAMPLES))
  for (const sample of samples) {
    const { pattern, refuse } = FORMATS[format as FormatName];
    if (!pattern.test(sample) || refuse?.(sample) !== undefined) throw new Error(`${sample} is no ${format}`);
  }

/** Documents of the schema. */
export const documents: fc.Arbitrary<Readonly<Record<string, unknown>>> = fc
  .tuple(
    objectOf({ ...DOCUMENT, keys: Object.fromEntries(Object.entries(DOCUMENT.keys).filter(([name]) => !name.startsWith("$"))) }),
    lazily(DOCUMENT.keys.services?.kind as Kind),
    // Deep in a document, and hardly ever met by chance.
    fc.option(lazily(inbound), { freq: 3 }),
  )
  .map(([document, services, demands]) => {
    const guarded = demands === null ? {} : { services: { ...(services as object), [GUARDED]: { inbound: demands } } };
    return { services, ...(document as object), ...guarded };
  });

export type Change = readonly [at: number, kind: "replace" | "rename" | "add" | "remove", name: string, value: unknown];

/** Where in a document a change may be made: every mapping and list in it. */
function containers(value: unknown, found: Record<string, unknown>[] = [], depth = 0): Record<string, unknown>[] {
  if (typeof value !== "object" || value === null || depth > 12) return found;
  found.push(value as Record<string, unknown>);
  for (const held of Object.values(value)) containers(held, found, depth + 1);
  return found;
}

/** A copy of a document with some of it changed. */
export function changed(document: object, changes: readonly Change[]): object {
  const copy = structuredClone(document);
  const all = containers(copy);
  for (const [at, kind, name, value] of changes) {
    const container = all[at % all.length] as Record<string, unknown>;
    const keys = Object.keys(container);
    const key = keys[at % Math.max(1, keys.length)];
    if (kind === "add" || key === undefined) put(container, name, value);
    else if (kind === "replace") put(container, key, value);
    else {
      const held = container[key];
      delete container[key];
      if (kind === "rename") put(container, name, held);
    }
  }
  return copy;
}

function put(container: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(container, key, { value, enumerable: true, configurable: true, writable: true });
}
