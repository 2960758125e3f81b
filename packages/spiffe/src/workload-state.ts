import {
  type CertificateState,
  certificateFromDer,
  certificateState,
  parseSpiffeId,
  parseTrustDomain,
  quoted,
  type Reading,
  read,
  refused,
  type SpiffeIdMatcher,
  type TrustBundle,
  trustBundleFromDer,
} from "@heddle/core";
import type { WorkloadSvid, WorkloadSvids } from "./workload-messages.ts";

/** Which of several SVIDs is this process's. Null: whichever. */
export interface SvidChoice {
  readonly id: SpiffeIdMatcher | null;
  readonly hint: string | null;
}

/** What a message comes to. */
export interface ReadState {
  readonly state: CertificateState;
  /** Of federated trust domains whose bundle cannot be read, in words. */
  readonly problems: readonly string[];
}

/**
 * The state that a message gives: the chosen SVID with its key, the bundle of its trust domain, which has to verify it, and the bundles of
 * other trust domains. What is no different from `previous` is the same object.
 *
 * A bundle of another trust domain that cannot be read must not keep our own certificate from being renewed: it is reported, and the one
 * of before stays, if there was one.
 */
export function readState(issued: WorkloadSvids, choice: SvidChoice, previous: CertificateState | null, nowMs: number): Reading<ReadState> {
  const svid = choose(issued.svids, choice);
  if (!svid.ok) return svid;
  const from = `the SVID ${quoted(svid.value.spiffeId)}`;
  const certificate = certificateFromDer({ chain: svid.value.chain, key: svid.value.key, from }, nowMs);
  if (!certificate.ok) return certificate;
  const { id } = certificate.value;
  if (id.text !== svid.value.spiffeId) return refused(`${from} has a certificate of ${id.text}, expected one of its own ID`);
  const own = trustBundleFromDer(id.trustDomain, svid.value.bundle, `the bundle of ${from}`);
  if (!own.ok) return own;
  const problems: string[] = [];
  const others = otherBundles(issued, id.trustDomain, previous, problems);
  const state = certificateState(certificate.value, [own.value, ...others], previous, nowMs);
  return state.ok ? read({ state: state.value, problems }) : state;
}

function choose(svids: readonly WorkloadSvid[], { id, hint }: SvidChoice): Reading<WorkloadSvid> {
  const isMeant = (svid: WorkloadSvid): boolean => {
    if (hint !== null && svid.hint !== hint) return false;
    if (id === null) return true;
    const parsed = parseSpiffeId(svid.spiffeId);
    return parsed.ok && id.matches(parsed.value);
  };
  const found = svids.find(isMeant);
  if (found !== undefined) return read(found);
  const wanted = [hint === null ? [] : [`the hint ${quoted(hint)}`], id === null ? [] : [`an ID that is ${quoted(id.pattern)}`]].flat();
  return refused(`no SVID has ${wanted.join(" and ")}; issued are ${described(svids)}`);
}

const MOST_DESCRIBED = 5;

function described(svids: readonly WorkloadSvid[]): string {
  const first = svids
    .slice(0, MOST_DESCRIBED)
    .map((svid) => quoted(svid.spiffeId) + (svid.hint === "" ? "" : ` (hint ${quoted(svid.hint)})`));
  return first.join(", ") + (svids.length > MOST_DESCRIBED ? ` and ${svids.length - MOST_DESCRIBED} more` : "");
}

/** Of the trust domains of other SVIDs, then of those that ours is federated with; of each the first that is given. Never of our own. */
function otherBundles(
  { svids, federatedBundles }: WorkloadSvids,
  own: string,
  previous: CertificateState | null,
  problems: string[],
): readonly TrustBundle[] {
  const given = [
    ...svids.map((svid) => ({ of: trustDomainOf(svid.spiffeId), der: svid.bundle })),
    ...[...federatedBundles].map(([of, der]) => ({ of: parseTrustDomain(of), der })),
  ];
  const bundles = new Map<string, TrustBundle>();
  const seen = new Set([own]);
  for (const { of, der } of given) {
    if (!of.ok) {
      problems.push(`a federated bundle is left out: ${of.reason}`);
      continue;
    }
    // An empty bundle takes back the one before (Workload API section 4.4).
    if (seen.has(of.value) || der.length === 0) continue;
    seen.add(of.value);
    const bundle = trustBundleFromDer(of.value, der, `the bundle of ${of.value}`);
    const kept = bundle.ok ? bundle.value : previous?.bundles.byTrustDomain.get(of.value);
    if (kept !== undefined) bundles.set(of.value, kept);
    if (!bundle.ok)
      problems.push(`${bundle.reason}; ${kept === undefined ? `nobody of ${of.value} can be verified` : "the one before stays in force"}`);
  }
  return [...bundles.values()];
}

function trustDomainOf(id: string): Reading<string> {
  const parsed = parseSpiffeId(id);
  return parsed.ok ? read(parsed.value.trustDomain) : parsed;
}
