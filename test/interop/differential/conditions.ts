import type { AttributeCondition, AuthorizationCondition, PathNormalisation, PathValueMatch, PortRange, ValueMatch } from "@heddle/core";
import type { Draws } from "./draws.ts";
import { ISSUERS } from "./tokens.ts";
import * as words from "./vocabulary.ts";

type Kind = AttributeCondition["kind"];

export const FROM_KINDS: readonly Kind[] = [
  ...(["principal", "trust-domain", "namespace", "service-account", "peer-ip", "client-ip"] as const),
];
/** Asked for only where tokens are looked at. */
export const TOKEN_KINDS: readonly Kind[] = ["request-principal", "audience", "presenter", "claim"];
export const TO_KINDS: readonly Kind[] = ["host", "port", "method", "path", "path", "path", "header", "sni", "local-ip"];

/** What rules are drawn under. */
export interface Surroundings {
  readonly port: number;
  readonly pathNormalisation: PathNormalisation;
}

export function condition(draws: Draws, kind: Kind, surroundings: Surroundings): AttributeCondition {
  const not = draws.chance(0.25);
  const values = <Value>(make: () => Value) => draws.times(1, 2, make);
  switch (kind) {
    case "path":
      return { kind, not, values: values(() => pathValue(draws, surroundings.pathNormalisation)) };
    case "header":
      return { kind, not, name: draws.one(words.HEADER_NAMES), values: values(() => textValue(draws, words.HEADER_TEXTS, true)) };
    case "claim": {
      const claim = draws.one(Object.keys(words.CLAIM_VALUES));
      return { kind, not, path: claim.split("."), values: values(() => textValue(draws, words.CLAIM_VALUES[claim] ?? [])) };
    }
    case "peer-ip":
      return { kind, not, blocks: values(() => draws.one(words.PEER_BLOCKS)) };
    case "client-ip":
      return { kind, not, blocks: values(() => draws.one(draws.chance(0.6) ? words.FORWARDED_BLOCKS : words.PEER_BLOCKS)) };
    case "local-ip":
      return { kind, not, blocks: values(() => draws.one(words.LOCAL_BLOCKS)) };
    case "port":
      return { kind, not, ranges: values(() => portRange(draws, surroundings.port)) };
    default:
      return { kind, not, values: values(() => value(draws, kind)) };
  }
}

/** Of one kind, so that it is wholly of who calls or of what is asked for. */
export function group(draws: Draws, kinds: readonly Kind[], surroundings: Surroundings): AuthorizationCondition {
  const groups = draws.times(1, 2, () => draws.times(1, 2, () => condition(draws, draws.one(kinds), surroundings)));
  return { kind: "group", not: draws.chance(0.4), groups: groups.map(withoutExclusive) };
}

/** A service account may not stand beside a principal or a namespace: it says all that they say. */
export function withoutExclusive<Condition extends AuthorizationCondition>(group: readonly Condition[]): readonly Condition[] {
  const hasAccount = group.some(({ kind }) => kind === "service-account");
  return hasAccount ? group.filter(({ kind }) => kind !== "principal" && kind !== "namespace") : group;
}

function value(draws: Draws, kind: Exclude<Kind, "path" | "header" | "claim" | "port" | "peer-ip" | "client-ip" | "local-ip">): ValueMatch {
  switch (kind) {
    case "principal":
      return principalValue(draws);
    case "trust-domain":
      return textValue(draws, words.TRUST_DOMAIN_NAMES);
    case "namespace":
      return textValue(draws, words.NAMESPACES);
    case "service-account":
      return { kind: "exact", value: draws.one(words.ACCOUNTS), ignoreCase: false };
    case "request-principal":
      return requestPrincipalValue(draws);
    case "audience":
      return textValue(draws, words.AUDIENCES);
    case "presenter":
      return textValue(draws, words.PRESENTERS);
    case "host":
      return { ...textValue(draws, draws.chance(0.1) ? ["reviews.shop.test:8080"] : words.HOSTS), ignoreCase: true };
    case "method": {
      const drawn = textValue(draws, words.METHODS);
      return drawn.kind === "present" ? { kind: "exact", value: "GET", ignoreCase: false } : drawn;
    }
    case "sni":
      return textValue(draws, words.SERVER_NAMES);
    default:
      return kind satisfies never;
  }
}

/** One of the words, or what it begins or ends with, or that there is one. */
function textValue(draws: Draws, texts: readonly string[], ofAllKinds = false): ValueMatch {
  const text = draws.one(texts);
  const part = draws.integer(1, text.length - 1);
  const ignoreCase = ofAllKinds && draws.chance(0.3);
  const written = (kind: ValueMatch["kind"], value: string): ValueMatch => ({ kind, value, ignoreCase });
  return draws.weighted<() => ValueMatch>([
    [5, () => written("exact", ignoreCase && draws.chance(0.5) ? text.toUpperCase() : text)],
    [2, () => written("prefix", text.slice(0, part))],
    [2, () => written("suffix", text.slice(part))],
    [1, () => ({ kind: "present", value: "", ignoreCase: false })],
    [ofAllKinds ? 1 : 0, () => written("contains", text.slice(Math.min(1, text.length - 2), -1))],
    [ofAllKinds ? 1 : 0, () => ({ kind: "regex", value: draws.one(["(dark-)?blue", "v[0-9.]+", "b.*", "red|blue"]), ignoreCase: false })],
  ])();
}

function principalValue(draws: Draws): ValueMatch {
  const id = draws.one(words.IDS);
  const written = (kind: ValueMatch["kind"], text: string): ValueMatch => ({ kind, value: text, ignoreCase: false });
  return draws.weighted<ValueMatch>([
    [6, written("exact", id)],
    [
      2,
      written(
        "prefix",
        draws.one(["spiffe://shop.test/", "spiffe://shop.test/ns/pay/", "spiffe://other", "spiffe://shop.test/ns/shop/sa/w"]),
      ),
    ],
    [2, written("suffix", draws.one(["/sa/web", "/web", "legacy", "b"]))],
    [1, written("present", "")],
  ]);
}

function requestPrincipalValue(draws: Draws): ValueMatch {
  const { iss } = draws.one(ISSUERS);
  const subject = draws.one(words.SUBJECTS);
  const written = (kind: ValueMatch["kind"], text: string): ValueMatch => ({ kind, value: text, ignoreCase: false });
  return draws.weighted<ValueMatch>([
    [4, written("exact", `${iss}/${subject}`)],
    [2, written("prefix", `${iss}/${subject.slice(0, draws.integer(0, 3))}`)],
    [1, written("suffix", `/${subject}`)],
    [1, written("suffix", subject.slice(-2))],
    [3, written("present", "")],
  ]);
}

function portRange(draws: Draws, port: number): PortRange {
  const range = (from: number, to: number) => ({ from: Math.max(from, 0), to: Math.min(to, 65_535) });
  return draws.weighted<PortRange>([
    [3, range(port, port)],
    [1, range(port - 10, port)],
    [1, range(port, port + 10)],
    [1, range(Math.min(port + 1, 65_535), 65_535)],
    [1, range(1, 1_023)],
  ]);
}

function pathValue(draws: Draws, setting: PathNormalisation): PathValueMatch {
  const path = draws.one(words.PATHS.filter((one) => setting !== "decode-and-merge-slashes" || !one.includes("%2F")));
  const ignoreCase = draws.chance(0.2);
  const beginnings = ["/admin", "/adm", "/api/", "/api/orders", "/static/", "/a", "/Api"];
  return draws.weighted<() => PathValueMatch>([
    [5, () => ({ kind: "exact", value: path, ignoreCase })],
    [4, () => ({ kind: "prefix", value: draws.one(beginnings), ignoreCase })],
    [3, () => ({ kind: "suffix", value: draws.one(["/items", ".js", "min", "/users", "/7", "n", "/ORDERS"]), ignoreCase })],
    [4, () => ({ kind: "template", value: draws.one(words.PATH_TEMPLATES) })],
    [1, () => ({ kind: "contains", value: draws.one(["orders", "dmi", "/o"]), ignoreCase })],
    [2, () => ({ kind: "regex", value: draws.one(words.PATH_EXPRESSIONS), ignoreCase: false })],
    [0.5, () => ({ kind: "present", value: "", ignoreCase: false })],
  ])();
}
