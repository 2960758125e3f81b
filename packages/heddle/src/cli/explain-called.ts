import {
  type ExplainInboundRequest,
  type Explanation,
  explainInbound,
  type InboundExplanation,
  type MeshSnapshot,
  mtlsModeOf,
  systemClock,
} from "@heddle/core";
import { assumesIdentity } from "./assumed-identity.ts";
import { UsageError } from "./command.ts";
import type { HeaderLines } from "./header-lines.ts";

/** Who calls: what is left out was not shown. */
export interface Caller {
  readonly from: string | undefined;
  readonly claims: string | undefined;
  readonly peerAddress: string | undefined;
}

/**
 * Asks each service that the request may be sent to, as it would come there; those that would take anything from anybody only where a
 * caller is given. Throws UsageError for what is no SPIFFE ID, or no claims.
 */
export function explainCalled(
  { alternatives }: Explanation,
  snapshot: MeshSnapshot,
  { method, headers, caller }: { readonly method: string; readonly headers: HeaderLines; readonly caller: Caller },
): readonly InboundExplanation[] {
  const called = new Map<string, InboundExplanation>();
  const shown = caller.claims === undefined ? claimsInToken(headers) : null;
  const isNamed = Object.values(caller).some((given) => given !== undefined);
  const hasIdentity = caller.from !== undefined || assumesIdentity(snapshot);
  for (const decision of alternatives) {
    if (decision.kind !== "forward") continue;
    for (const { backend } of decision.backends) {
      const service = snapshot.backends.get(backend)?.service ?? backend;
      const policy = snapshot.inboundPolicies.get(service);
      if (policy === undefined || called.has(service)) continue;
      const mtls = mtlsModeOf(policy, hasIdentity);
      if (!isNamed && mtls !== "strict" && policy.jwt.length === 0 && policy.authorization === null) continue;
      const request: ExplainInboundRequest = {
        method,
        url: `http://${decision.authority}${decision.path}`,
        headers: joined({ ...headers, ...decision.requestHeaders }),
        ...(caller.from === undefined ? {} : { peer: caller.from }),
        ...(caller.claims === undefined ? {} : { claims: claimsOf(caller.claims) }),
        ...(shown === null || policy.jwt.length === 0 ? {} : { claims: shown }),
        ...(caller.peerAddress === undefined ? {} : { peerAddress: caller.peerAddress }),
      };
      called.set(
        service,
        asked(() => explainInbound(request, policy, mtls, systemClock.wallTime()), shown !== null && policy.jwt.length > 0),
      );
    }
  }
  return [...called.values()];
}

const UNVERIFIED = "the claims are those of the token in authorization; its signature was not looked at";

function asked(ask: () => InboundExplanation, isUnverified: boolean): InboundExplanation {
  try {
    const explanation = ask();
    const { why } = explanation;
    const said = isUnverified
      ? `${why}; ${UNVERIFIED}`
      : why.replace("unless its claims are given:", "unless --claims gives what it says:");
    return { ...explanation, why: said };
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message.replace("mesh.explainInbound: peer:", "--from:"));
    throw error;
  }
}

function claimsOf(text: string): Readonly<Record<string, unknown>> {
  let claims: unknown;
  try {
    claims = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`--claims: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof claims !== "object" || claims === null || Array.isArray(claims)) throw new UsageError("--claims: expected a JSON object");
  return { ...claims };
}

/** What a bearer token says, as far as it can be read; null: it is none, or cannot. */
function claimsInToken({ authorization }: HeaderLines): Readonly<Record<string, unknown>> | null {
  const [, payload] = /^Bearer +[\w-]+\.([\w-]+)\.[\w-]*$/i.exec(String(authorization)) ?? [];
  if (payload === undefined) return null;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
    return typeof claims === "object" && claims !== null && !Array.isArray(claims) ? { ...claims } : null;
  } catch {
    // Not the JSON of a token: then it is said that it is not valid.
    return null;
  }
}

function joined(headers: Readonly<Record<string, string | readonly string[] | undefined>>): Record<string, string> {
  const pairs = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, [value].flat().join(",")] as const],
  );
  return Object.fromEntries(pairs);
}

/** For people. */
export function calledText({ service, from, mtls, refusedWith, why, rules }: InboundExplanation, caller: Caller): string[] {
  const who = caller.from ?? "a caller without identity";
  return [
    `  at ${service}, ${who} is ${refusedWith === null ? "served" : `refused with ${refusedWith}`}: ${why} (mtls ${mtls}; ${from})`,
    ...rules.map(
      ({ name, action, mode, held, why: because, from: origin }) =>
        `    ${action} rule ${name}${mode === "shadow" ? " in shadow" : ""} ${HELD[held] ?? held}: ${because} (${origin})`,
    ),
  ];
}

const HELD: Readonly<Record<string, string>> = { yes: "holds", no: "does not hold", undecidable: "cannot be decided" };
