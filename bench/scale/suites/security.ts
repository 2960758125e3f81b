import { CALLER, idOf, mutualDocument, SERVICE } from "../../document.ts";
import { compared, type Experiment, type Figure, limited, type Plan } from "../experiment.ts";
import type { HandshakeParameters } from "../probes/handshake.ts";
import type { InboundParameters } from "../probes/inbound.ts";

const PLAN: Plan = { processes: 2, rounds: 20, roundMs: 100, warmUpMs: 600 };
const HANDSHAKE_PLAN: Plan = { processes: 1, rounds: 20, roundMs: 400, warmUpMs: 800 };
const RULES = 100;
/** A verified token is remembered as long as no thousand others came after it. */
const MORE_TOKENS_THAN_REMEMBERED = 1_100;

/** Each rule is one that a request could need. The last is the one that lets it through. */
const RULES_BY = {
  "each of another caller": (number: number) => ({
    from: [{ principals: [number === RULES - 1 ? idOf(CALLER) : idOf(`caller-${number}`)] }],
    to: [{ methods: ["GET"], paths: [`/items/${number}/*`] }],
  }),
  "each for another path": (number: number) => ({
    from: [{ trustDomains: [idOf("").split("/")[2]] }],
    to: [{ methods: ["GET"], paths: [`/items/${number}/*`] }],
  }),
  "all of which have to be asked": (number: number) => ({
    from: [{ principals: [`*/${number === RULES - 1 ? CALLER : `caller-${number}`}`] }],
    to: [{ methods: ["GET"] }],
  }),
} as const;

function inbound(group: string, parameters: InboundParameters, figure: Figure, isExtra: boolean): Experiment {
  return {
    suite: "security",
    group,
    probe: "inbound",
    parameters,
    figures: [figure],
    point: null,
    plan: PLAN,
    needsServers: false,
    isExtra,
  };
}

const AUTHORIZATION = Object.entries(RULES_BY).map(([name, rule], index) => {
  const authorize = Array.from({ length: RULES }, (_, number) => ({ name: `rule-${number}`, ...rule(number) }));
  const path = `/items/${RULES - 1}/7`;
  // Where only the caller is asked there is no path to be refused for.
  const parameters = { policy: { authorize }, base: {}, path, ...(index < 2 ? { refused: "/elsewhere" } : {}) };
  return inbound(
    "authorization",
    parameters,
    limited(`authorization by ${RULES} rules, ${name}: adds`, "added", "us CPU", 2, 2),
    index > 0,
  );
});

const FEW_RULES = (mutualDocument([]) as { services: { [SERVICE]: { inbound: object } } }).services[SERVICE].inbound;
const STRICT = { policy: FEW_RULES, path: "/bench/7", refused: "/elsewhere" };

export const SECURITY: readonly Experiment[] = [
  ...AUTHORIZATION,
  inbound(
    "strict",
    { ...STRICT, base: { mtls: "disable" } },
    compared("strict mutual TLS and 3 rules: add, beside the TLS itself", "added", "us CPU"),
    false,
  ),
  inbound(
    "tokens",
    { policy: {}, base: {}, path: "/bench/7", tokens: 1 },
    compared("a token that was verified before: adds", "added", "us CPU"),
    false,
  ),
  inbound(
    "tokens",
    { policy: {}, base: {}, path: "/bench/7", tokens: MORE_TOKENS_THAN_REMEMBERED },
    compared("a token that is new, ES256: adds", "added", "us CPU"),
    true,
  ),
  ...(["mesh", "node", "plaintext"] as const).map((by) => handshake(by)),
];

function handshake(by: HandshakeParameters["by"]): Experiment {
  const name = {
    mesh: "a connection by mutual TLS between meshes, both ends",
    node: "a connection by mutual TLS between undici and node:https, both ends",
    plaintext: "a connection in plaintext between undici and node:http, both ends",
  }[by];
  return {
    suite: "security",
    group: "connections",
    probe: "handshake",
    parameters: { by } satisfies HandshakeParameters,
    figures: [compared(name, "connection", "ms CPU")],
    point: null,
    plan: HANDSHAKE_PLAN,
    needsServers: false,
    isExtra: by !== "mesh",
  };
}
