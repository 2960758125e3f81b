import type { AuthorizeRuleDocument, InboundDocument } from "../../gen/document.ts";
import type { Mistakes } from "./mistakes.ts";
import type { Path } from "./places.ts";

const NO_TOKEN = "asks what a token says, and without `inbound.jwt` no token is looked at: a request never has one";
const NO_PEER = "asks who is calling, and with `inbound.mtls: disable` nobody proves it: a caller never has an identity";

const NO_PROXY =
  "says whom to believe of whom they serve, and with `inbound.mtls: disable` nobody proves to be one of them: it has no effect";

const OF_PEERS = /^(?:not)?(?:principals|trustDomains|namespaces|serviceAccounts)$/i;
const OF_TOKENS = /^(?:not)?requestPrincipals$/i;
const KEY_OF_PEERS = /^source\.(?:principal|trustDomain|namespace|serviceAccount)$/;
const KEY_OF_TOKENS = /^request\.auth\./;

/** Warns where rules ask for what the same policy lets no request show: an allow rule of it takes nothing, a deny rule of it everything. */
export function crossCheckProofs({ authorize = [], jwt = [], trustedPeers, mtls }: InboundDocument, path: Path, mistakes: Mistakes): void {
  if (trustedPeers !== undefined && mtls === "disable") mistakes.warn([...path, "trustedPeers"], NO_PROXY);
  const warn = (at: Path, isOfToken: boolean, isOfPeer: boolean): void => {
    if (isOfToken && jwt.length === 0) mistakes.warn(at, NO_TOKEN);
    if (isOfPeer && mtls === "disable") mistakes.warn(at, NO_PEER);
  };
  const warnOfRule = ({ from = [], when = [] }: Pick<AuthorizeRuleDocument, "from" | "when">, at: Path): void => {
    for (const [index, group] of from.entries())
      for (const key of Object.keys(group)) warn([...at, "from", index, key], OF_TOKENS.test(key), OF_PEERS.test(key));
    for (const [index, { key = "" }] of when.entries())
      warn([...at, "when", index, "key"], KEY_OF_TOKENS.test(key), KEY_OF_PEERS.test(key));
  };
  for (const [index, policy] of authorize.entries()) {
    const at = [...path, "authorize", index];
    warnOfRule(policy, at);
    for (const [number, rule] of (policy.rules ?? []).entries()) warnOfRule(rule, [...at, "rules", number]);
  }
}
