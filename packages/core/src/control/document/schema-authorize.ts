import { type Key, type Kind, list, type ObjectKind, oneOf, text } from "./kinds.ts";

const values: Kind = list(text("filled text"), 1);

/** A list of values, and the same inverted. */
function both(name: string, doc: string): Readonly<Record<string, Key>> {
  return {
    [name]: { doc, kind: values, absent: "not asked" },
    [`not${name.charAt(0).toUpperCase()}${name.slice(1)}`]: { doc: `Holds where \`${name}\` does not.`, kind: values, absent: "not asked" },
  };
}

const source: ObjectKind = {
  kind: "object",
  name: "AuthorizeFromDocument",
  doc: "Who is calling. All that is given must hold; of each list, one value.",
  keys: {
    ...both("principals", "SPIFFE IDs of the peer."),
    ...both("trustDomains", "Of the peer's SPIFFE ID."),
    ...both("namespaces", "That the peer's SPIFFE ID names."),
    ...both("serviceAccounts", "`namespace/account` that the peer's SPIFFE ID names."),
    ...both("requestPrincipals", "`issuer/subject` of the token."),
    ...both("ipBlocks", "Address or CIDR block of the other end of the connection."),
    ...both("remoteIpBlocks", "Of the client, behind `trustedHops` proxies."),
  },
};

const operation: ObjectKind = {
  kind: "object",
  name: "AuthorizeToDocument",
  doc: "What is asked for. All that is given must hold; of each list, one value.",
  keys: {
    ...both("hosts", "In any case; without a port every port."),
    ...both("ports", "Of this end of the connection, in quotes."),
    ...both("methods", "In upper case."),
    ...both("paths", "Without the query. `{*}` is one path element, `{**}` the rest."),
  },
};

const condition: ObjectKind = {
  kind: "object",
  name: "AuthorizeWhenDocument",
  doc: "One more thing that must hold.",
  keys: {
    key: {
      doc: "What is compared: `request.headers[x-team]`, `request.auth.claims[group]`, `source.ip` and so on.",
      kind: text("condition key"),
      required: true,
    },
    values: { doc: "One of them must match.", kind: values, absent: "not asked" },
    notValues: { doc: "None of them may match.", kind: values, absent: "not asked" },
  },
};

const parts: Readonly<Record<string, Key>> = {
  from: { doc: "One of them must hold.", kind: list(source, 1), absent: "everybody" },
  to: { doc: "One of them must hold.", kind: list(operation, 1), absent: "everything" },
  when: { doc: "All of them must hold.", kind: list(condition, 1), absent: "always" },
};

export const authorize: ObjectKind = {
  kind: "object",
  name: "AuthorizeDocument",
  doc: "A policy of authorization. It has `from`, `to` and `when` for one rule, or several `rules`.",
  keys: {
    name: { doc: "For log, report and counters; unique in the service.", kind: text("route name"), required: true },
    action: { doc: "`audit` names who matched and changes nothing.", kind: oneOf(["allow", "deny", "audit"]), default: "allow" },
    mode: { doc: "`shadow`: asked and told of, never enforced.", kind: oneOf(["enforce", "shadow"]), default: "enforce" },
    ...parts,
    rules: {
      doc: "One must hold. An empty list: it never matches, so that an allow policy denies everything. `{}` takes every request.",
      kind: list({
        kind: "object",
        name: "AuthorizeRuleDocument",
        doc: "Holds if one of `from`, one of `to` and all of `when` do.",
        keys: { name: { doc: "For log and counters.", kind: text("route name"), absent: "its number" }, ...parts },
      }),
      absent: "`from`, `to` and `when` are the rule",
    },
  },
};
