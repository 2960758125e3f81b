import { formatDuration } from "../../duration.ts";
import { DEFAULT_JWT, DEFAULT_REMOTE_JWKS } from "../../model/defaults.ts";
import { JWT_ALGORITHMS } from "../../model/jwt.ts";
import { boolean, duration, integer, type Key, type Kind, list, type ObjectKind, oneOf, text } from "./kinds.ts";
import { authorize } from "./schema-authorize.ts";

export const identities: Key = {
  doc: "Who its servers may be: SPIFFE IDs, or everything below a path. Every caller checks it.",
  kind: list(text("spiffe id pattern"), 1),
  absent: "`mesh.identityTemplate` says it; without that, nobody is known to be one",
};

/** Of `mesh`. */
export const identityKeys: Readonly<Record<string, Key>> = {
  trustDomain: { doc: "The trust domain of this mesh.", kind: text("trust domain"), absent: "templates cannot name it" },
  identityTemplate: {
    doc: "Who the servers of each service are, where it has no `identities`: `spiffe://{trustDomain}/ns/{namespace}/sa/{service}`.",
    kind: text("identity template"),
    absent: "each service says it",
  },
  namespace: { doc: "What `{namespace}` in the template stands for.", kind: text("path segment"), default: "default" },
};

export const tls: ObjectKind = {
  kind: "object",
  name: "TlsDocument",
  doc: "How the endpoints of a service are spoken to.",
  keys: {
    mode: {
      doc: "`disable`: plain text. `simple`: the server proves a name, as on the web. `mutual`: both sides prove a SPIFFE ID.",
      kind: oneOf(["disable", "simple", "mutual"]),
      required: true,
    },
    sni: { doc: "The server name asked for in the handshake.", kind: text("host"), absent: "the host of the request" },
    subjectAltNames: {
      doc: "With `simple`: names, addresses or URIs, of which the certificate must have one.",
      kind: list(text("certificate name"), 1),
      absent: "the host of the request",
    },
    ca: {
      doc: "With `simple`: a PEM file of the authorities to believe; read again when it changes.",
      kind: text("file path"),
      absent: "those that Node believes",
    },
  },
};

const jwks: ObjectKind = {
  kind: "object",
  name: "JwksDocument",
  doc: "The public keys of an issuer (RFC 7517).",
  keys: {
    inline: { doc: "The key set itself.", kind: { kind: "json" }, absent: "`file` or `url` says it" },
    file: { doc: "A file that holds it; read again when it changes.", kind: text("file path"), absent: "`inline` or `url` says it" },
    url: {
      doc: "Where it is fetched: `https://`, or `http://` on loopback.",
      kind: text("jwks url"),
      absent: "`inline` or `file` says it",
    },
    maxAge: {
      doc: "With `url`: fetched again after it.",
      kind: duration,
      default: formatDuration(DEFAULT_REMOTE_JWKS.maxAgeMs),
    },
    cooldown: {
      doc: "With `url`: not fetched again sooner, however many tokens name unknown keys.",
      kind: duration,
      default: formatDuration(DEFAULT_REMOTE_JWKS.cooldownMs),
    },
    timeout: { doc: "With `url`: of one fetch.", kind: duration, default: formatDuration(DEFAULT_REMOTE_JWKS.timeoutMs) },
    staleIfError: {
      doc: "With `url`: how much longer keys serve that cannot be fetched again.",
      kind: duration,
      default: formatDuration(DEFAULT_REMOTE_JWKS.staleIfErrorMs),
    },
  },
  choice: { of: ["inline", "file", "url"], required: true },
};

const jwt: ObjectKind = {
  kind: "object",
  name: "JwtDocument",
  doc: "Tokens of one issuer, and what makes them valid.",
  keys: {
    name: { doc: "For messages; unique in the service.", kind: text("route name"), absent: "the issuer" },
    issuer: { doc: "What `iss` must be.", kind: text("jwt issuer"), required: true },
    audiences: { doc: "Of which `aud` must have one.", kind: list(text("filled text"), 1), absent: "any audience" },
    jwks: { doc: "The issuer's keys.", kind: jwks, required: true },
    algorithms: { doc: "With which it may sign.", kind: list(oneOf([...JWT_ALGORITHMS]), 1), default: [...JWT_ALGORITHMS] },
    from: {
      doc: "Where a token may stand.",
      kind: list(
        {
          kind: "object",
          name: "JwtLocationDocument",
          doc: "A header that may hold a token.",
          keys: {
            header: { doc: "Its name.", kind: text("header to match"), required: true },
            prefix: { doc: "What stands before the token, in any case.", kind: text("header prefix"), absent: "nothing" },
          },
        },
        1,
      ),
      absent: "`authorization`, after `Bearer `",
    },
    clockSkew: {
      doc: "By how much clocks may differ.",
      kind: { kind: "duration", minMs: 0 },
      default: formatDuration(DEFAULT_JWT.clockSkewMs),
    },
    forward: { doc: "Whether the application gets the token.", kind: boolean, default: DEFAULT_JWT.forward },
    claimHeaders: {
      doc: "Headers in which the application gets claims. Whoever sends them, they are removed first.",
      kind: list({
        kind: "object",
        name: "ClaimHeaderDocument",
        doc: "A claim in a header.",
        keys: {
          header: { doc: "The header's name.", kind: text("header to change"), required: true },
          claim: {
            doc: "The claim's name, or the names that lead to it.",
            kind: { kind: "list", of: text("filled text"), atLeast: 1, orOne: true },
            required: true,
          },
        },
      }),
      absent: "none",
    },
  },
};

const mtls: Kind = oneOf(["strict", "permissive", "disable"]);

export const inbound: ObjectKind = {
  kind: "object",
  name: "InboundDocument",
  doc: "What a process of the service demands of its callers.",
  keys: {
    mtls: {
      doc: "`strict`: mutual TLS or nothing. `permissive`: plain text too, which is nobody's identity. `disable`: plain text.",
      kind: mtls,
      absent: "strict where the process has an identity, disable where it has none",
    },
    trustedPeers: {
      doc: "SPIFFE IDs, or all below a path, whose `x-forwarded-client-cert` is believed. Everybody else's is removed.",
      kind: list(text("spiffe id pattern"), 1),
      absent: "nobody's",
    },
    jwt: {
      doc: "Tokens that are verified. A request without one passes, unless `authorize` asks for it.",
      kind: list(jwt),
      absent: "none",
    },
    authorize: {
      doc: "Who may do what: deny rules first, then allow rules. With one allow policy, what none allows is denied.",
      kind: list(authorize),
      absent: "everything is allowed",
    },
    pathNormalisation: {
      doc: "How paths are made one of many spellings, for rules and application alike.",
      kind: oneOf(["none", "base", "merge-slashes", "decode-and-merge-slashes"]),
      absent: "merge-slashes where there is `authorize`, else none",
    },
    trustedHops: {
      doc: "Proxies in front that add to `x-forwarded-for`: so many from the right is the client.",
      kind: integer(0, 100),
      default: 0,
    },
  },
  later: ["rateLimit", "quota", "shed"],
};
