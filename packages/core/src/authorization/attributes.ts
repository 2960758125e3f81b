import type { AttributeCondition, TextAttribute, ValueMatch } from "../model/authorization.ts";
import type { Identity, RequestFacts, TokenIdentity } from "./facts.ts";
import { type IpAddress, IpBlocks } from "./terms/ip-block.ts";
import { NO, type Ternary, UNDECIDED, YES } from "./ternary.ts";
import { compileValues, type TextTest } from "./values.ts";

/** How one attribute is compared, before `not`. */
export interface AttributeReader {
  readonly test: (facts: RequestFacts) => Ternary;
  readonly undecided: string;
  readonly identity: Identity | null;
}

/**
 * What of a request each condition reads, and what it makes of one that does not have it. *Absent* is known: no value matches, and
 * inverted it holds. *Undecidable* fails closed, inverted or not: an allow rule does not match, a deny or audit rule does.
 *
 * | attribute | absent | undecidable |
 * |---|---|---|
 * | principal, trust domain | - | the peer proves no identity (but that it is not `present` is known) |
 * | namespace, service account | the identity names none | as above |
 * | request principal, audience, presenter | `present`: no token; the token lacks it (audience, presenter) | no token; the token lacks issuer or subject |
 * | claim | the token lacks it, or its list is empty | no token (but not `present`); it is neither text nor a list of texts |
 * | host | - | the request names none |
 * | method, port | - | a port nobody knows |
 * | path | - | it was refused; the request is too, before any rule |
 * | header | it is not there | several fields of the name, of which some match and some do not |
 * | sni | no TLS, or no name | - |
 * | peer, client, local ip | - | the address is unknown |
 *
 * Envoy takes a missing identity for absent, so that `notPrincipals` in an allow rule lets plaintext in; here it does not.
 */
export function readerOf(condition: AttributeCondition): AttributeReader {
  switch (condition.kind) {
    case "path":
      return pathReader(compileValues(condition.values));
    case "host":
      return hostReader(compileValues(condition.values));
    case "header":
      return headerReader(condition.name, condition.values);
    case "claim":
      return claimReader(condition.path, condition.values);
    case "audience":
      return listReader((token) => token.audiences, condition.values, "the request has no token");
    case "port":
      return {
        test: ({ localPort }) =>
          localPort === null ? UNDECIDED : told(condition.ranges.some(({ from, to }) => from <= localPort && localPort <= to)),
        undecided: "the port is unknown",
        identity: null,
      };
    case "peer-ip":
      return addressReader(condition.blocks, ({ peerIp }) => peerIp, "the address of the peer is unknown");
    case "local-ip":
      return addressReader(condition.blocks, ({ localIp }) => localIp, "the address of this end is unknown");
    case "client-ip":
      return addressReader(
        condition.blocks,
        ({ clientIp }) => (clientIp.kind === "known" ? clientIp.address : null),
        "the address of the client is unknown",
      );
    default:
      return textReader(condition.kind, condition.values);
  }
}

type PlainText = Exclude<TextAttribute, "host" | "audience">;

/** undefined: nobody can tell; null: absent. */
export const TEXTS: Readonly<Record<PlainText, (facts: RequestFacts) => string | null | undefined>> = {
  principal: ({ peer }) => peer?.id,
  "trust-domain": ({ peer }) => peer?.trustDomain,
  namespace: ({ peer }) => peer?.namespace,
  "service-account": ({ peer }) =>
    peer === null ? undefined : peer.namespace === null || peer.serviceAccount === null ? null : `${peer.namespace}/${peer.serviceAccount}`,
  "request-principal": ({ token }) =>
    token === null || token.issuer === null || token.subject === null ? undefined : `${token.issuer}/${token.subject}`,
  presenter: ({ token }) => token?.presenter,
  method: ({ method }) => method,
  sni: ({ sni }) => sni,
};

const IDENTITY: Readonly<Record<PlainText, Identity | null>> = {
  principal: "peer",
  "trust-domain": "peer",
  namespace: "peer",
  "service-account": "peer",
  "request-principal": "token",
  presenter: "token",
  method: null,
  sni: null,
};

const UNKNOWN = {
  peer: "the peer has no identity",
  token: "the request has no token with issuer and subject",
  connection: "nothing is known of it",
} as const;

function told(holds: boolean): Ternary {
  return holds ? YES : NO;
}

/** That something is there is known also where it is missing. */
function ofMissing(values: readonly ValueMatch[]): Ternary {
  return values.some(({ kind }) => kind === "present") ? NO : UNDECIDED;
}

function textReader(kind: PlainText, values: readonly ValueMatch[]): AttributeReader {
  const read = TEXTS[kind];
  const matches = compileValues(values);
  const missing = ofMissing(values);
  const identity = IDENTITY[kind];
  return {
    test: (facts) => {
      const text = read(facts);
      return typeof text === "string" ? (matches(text) ? YES : NO) : text === null ? NO : missing;
    },
    undecided: UNKNOWN[identity ?? "connection"],
    identity,
  };
}

function pathReader(matches: TextTest): AttributeReader {
  return {
    test: ({ path }) => (path.kind === "refused" ? UNDECIDED : told(matches(path.pathname))),
    undecided: "the path was refused",
    identity: null,
  };
}

/** A value without a port takes the host on any port, as claims of virtual hosts do. */
function hostReader(matches: TextTest): AttributeReader {
  return {
    test: ({ authority }) => (authority === "" ? UNDECIDED : told(matches(authority) || matches(hostOf(authority)))),
    undecided: "the request names no host",
    identity: null,
  };
}

/** Without its port and the dot that may end it. */
export function hostOf(authority: string): string {
  const colon = authority.lastIndexOf(":");
  const host = colon > authority.lastIndexOf("]") ? authority.slice(0, colon) : authority;
  return host.endsWith(".") ? host.slice(0, -1) : host;
}

/** Several fields of one name are one list (RFC 9110 5.3), as Envoy reads them; an application may take one of them. */
function headerReader(name: string, values: readonly ValueMatch[]): AttributeReader {
  const matchesText = compileValues(values);
  const matches: TextTest = values.some(({ kind }) => kind === "present") ? () => true : matchesText;
  return {
    test: ({ headers }) => {
      const value = headers[name];
      if (typeof value === "string") return matches(value) ? YES : NO;
      if (!Array.isArray(value) || value.length === 0) return NO;
      const joined = matches(value.join(","));
      return value.every((field) => matches(field) === joined) ? told(joined) : UNDECIDED;
    },
    undecided: "its fields of that name say different things",
    identity: null,
  };
}

function claimReader(path: readonly string[], values: readonly ValueMatch[]): AttributeReader {
  return listReader((token) => claimOf(token, path), values, "the request has no token, or the claim is neither text nor a list of texts");
}

/** Of own properties alone: a token says nothing by what every object inherits. */
function claimOf(token: TokenIdentity, path: readonly string[]): unknown {
  let value: unknown = token.claims;
  for (const name of path) {
    if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}

function listReader(read: (token: TokenIdentity) => unknown, values: readonly ValueMatch[], undecided: string): AttributeReader {
  const matches = compileValues(values);
  const missing = ofMissing(values);
  return {
    test: ({ token }) => {
      if (token === null) return missing;
      const value = read(token);
      if (typeof value === "string") return told(matches(value));
      if (value === undefined) return NO;
      if (!Array.isArray(value)) return UNDECIDED;
      if (value.some((element) => typeof element === "string" && matches(element))) return YES;
      return value.every((element) => typeof element === "string") ? NO : UNDECIDED;
    },
    undecided,
    identity: "token",
  };
}

function addressReader(blocks: readonly string[], read: (facts: RequestFacts) => IpAddress | null, undecided: string): AttributeReader {
  const set = new IpBlocks(blocks);
  return {
    test: (facts) => {
      const address = read(facts);
      return address === null ? UNDECIDED : told(set.has(address));
    },
    undecided,
    identity: null,
  };
}
