import { inboundPolicyOf } from "@heddle/testing";
import { authenticate } from "../../packages/core/src/authorization/authenticate.ts";
import type { OwnFetch } from "../../packages/core/src/authorization/jwks-fetch.ts";
import { KeySets } from "../../packages/core/src/authorization/key-sets.ts";
import type { HeaderMap } from "../../packages/core/src/message.ts";
import type { JwksLocation, JwtRule } from "../../packages/core/src/model/jwt.ts";
import { bearer, jwtRuleOf, type Passage, pass } from "../../packages/core/test/token-issuer.ts";
import { type VirtualClock, virtualClock } from "../../packages/core/test/virtual-clock.ts";

export interface TokenGate {
  readonly clock: VirtualClock;
  /** What was reported to the operator. */
  readonly problems: readonly string[];
  readonly keySets: KeySets;
  send(headers: HeaderMap): Promise<Passage>;
  /** `jane` where the token in Authorization is valid and hers; otherwise the refusal's status and code. */
  try(token: string): Promise<string>;
  /** The same, and why it was refused as the log tells it. */
  why(token: string): Promise<string>;
}

/** The layer that authenticates, in virtual time, with what the document may say about one issuer. */
export function tokenGate(rules: readonly JwtRule[], fetch: OwnFetch | null = null): TokenGate {
  const clock = virtualClock();
  const problems: string[] = [];
  const keySets = new KeySets({ clock, random: () => 0, fetch, report: ({ message }) => void problems.push(message) });
  const policy = { ...inboundPolicyOf(), jwt: rules };
  const layer = authenticate({ policy: () => policy, keySets, clock });
  const send = (headers: HeaderMap) => pass(layer, headers, { clock });
  return {
    clock,
    problems,
    keySets,
    send,
    try: async (token) => outcome(await send(bearer(token))),
    why: async (token) => {
      const passage = await send(bearer(token));
      return passage.kind === "refused" ? String(passage.error) : outcome(passage);
    },
  };
}

function outcome(passage: Passage): string {
  if (passage.kind === "passed") return passage.inbound.jwt?.subject ?? "passed without a token";
  const { status, code } = passage.error as { readonly status?: number; readonly code?: string };
  return status === undefined ? String(passage.error) : `${status} ${code}`;
}

type RemoteJwks = Extract<JwksLocation, { kind: "remote" }>;

export function remoteRule(url: string, parts: Partial<RemoteJwks> = {}): JwtRule {
  return jwtRuleOf([], {
    jwks: { kind: "remote", url, maxAgeMs: 300_000, cooldownMs: 30_000, timeoutMs: 5_000, staleIfErrorMs: 3_600_000, ...parts },
  });
}
