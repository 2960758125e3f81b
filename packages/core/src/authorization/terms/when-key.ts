import { type Reading, read, refused } from "../../identity/names/reading.ts";
import type { AttributeCondition, TextAttribute } from "../../model/authorization.ts";
import { parsePort, parsePrincipal, parseValue } from "./value-forms.ts";

/** Makes the condition that a key stands for. */
export type ConditionOf = (values: readonly string[], not: boolean) => AttributeCondition;

const parsed = (values: readonly string[]) => values.map((value) => parseValue(value));
const texts =
  (kind: TextAttribute): ConditionOf =>
  (values, not) => ({ kind, not, values: parsed(values) });
const addresses =
  (kind: "peer-ip" | "client-ip" | "local-ip"): ConditionOf =>
  (blocks, not) => ({ kind, not, blocks });

const KEYS: Readonly<Record<string, ConditionOf>> = {
  "source.ip": addresses("peer-ip"),
  "remote.ip": addresses("client-ip"),
  "source.principal": (values, not) => ({ kind: "principal", not, values: values.map(parsePrincipal) }),
  "source.trustDomain": texts("trust-domain"),
  "source.namespace": texts("namespace"),
  "source.serviceAccount": texts("service-account"),
  "request.auth.principal": texts("request-principal"),
  "request.auth.audiences": texts("audience"),
  "request.auth.presenter": texts("presenter"),
  "destination.ip": addresses("local-ip"),
  "destination.port": (values, not) => ({
    kind: "port",
    not,
    ranges: values.map((value) => parsePort(value) ?? { from: Number.NaN, to: Number.NaN }),
  }),
  "connection.sni": texts("sni"),
};

const HEADER = /^request\.headers\[([^[\]]+)\]$/;
const CLAIMS = /^request\.auth\.claims((?:\[[^[\]]+\])+)$/;

/** The keys of `when`, as Istio has them. */
export const WHEN_KEYS: readonly string[] = ["request.headers[name]", "request.auth.claims[name]", ...Object.keys(KEYS)];

/** Reads `request.headers[x-team]`, `request.auth.claims[realm_access][roles]`, `source.ip` and so on. */
export function parseWhenKey(key: string): Reading<ConditionOf> {
  const known = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
  if (known) return read(known);
  const header = HEADER.exec(key)?.[1]?.toLowerCase();
  if (header !== undefined) return read((values, not) => ({ kind: "header", name: header, not, values: parsed(values) }));
  const claims = CLAIMS.exec(key)?.[1];
  if (claims === undefined) return refused(`expected one of ${WHEN_KEYS.join(", ")}`);
  const path = claims.slice(1, -1).split("][");
  return read((values, not) => ({ kind: "claim", path, not, values: parsed(values) }));
}
