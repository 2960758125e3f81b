import { type Reading, read, refused } from "@heddle/core";
import { readFields, type WireField } from "./workload-wire.ts";

/** What the agent issues for one identity: the message X509SVID of the Workload API. Nothing of it is checked yet. */
export interface WorkloadSvid {
  readonly spiffeId: string;
  /** DER, one certificate behind the other, the leaf first. */
  readonly chain: Uint8Array;
  /** PKCS#8. */
  readonly key: Uint8Array;
  /** The roots of the ID's own trust domain, DER, one behind the other. */
  readonly bundle: Uint8Array;
  /** What the operator calls it; empty where nobody said. */
  readonly hint: string;
}

/** The message X509SVIDResponse: all there is, in place of the message before. */
export interface WorkloadSvids {
  readonly svids: readonly WorkloadSvid[];
  /** By trust domain, as its ID (`spiffe://partner.example`). */
  readonly federatedBundles: ReadonlyMap<string, Uint8Array>;
  readonly hasRevocationLists: boolean;
}

// The numbers are those of workloadapi.proto in the SPIFFE specification.
const RESPONSE = { svids: 1, crl: 2, federatedBundles: 3 } as const;
const SVID = { spiffeId: 1, chain: 2, key: 3, bundle: 4, hint: 5 } as const;
const MAP_ENTRY = { key: 1, value: 2 } as const;

/** What stands in the field `x509_svid` and its like of an SVID must not be empty (Workload API section 5.2.1). */
const MANDATORY = [
  ["spiffe_id", SVID.spiffeId],
  ["x509_svid", SVID.chain],
  ["x509_svid_key", SVID.key],
  ["bundle", SVID.bundle],
] as const;

const NOTHING = new Uint8Array();

/** Reads a message of FetchX509SVID. Unknown fields are passed over; one without an SVID or without a mandatory field is refused (section 4.5). */
export function readWorkloadSvids(message: Uint8Array): Reading<WorkloadSvids> {
  const fields = readFields(message);
  if (!fields.ok) return fields;
  const svids: WorkloadSvid[] = [];
  const federatedBundles = new Map<string, Uint8Array>();
  let hasRevocationLists = false;
  for (const { number, bytes } of fields.value) {
    if (number === RESPONSE.svids) {
      const svid = readWorkloadSvid(bytes);
      if (!svid.ok) return refused(`SVID ${svids.length + 1}: ${svid.reason}`);
      svids.push(svid.value);
    } else if (number === RESPONSE.crl) hasRevocationLists = true;
    else if (number === RESPONSE.federatedBundles) {
      const entry = readMapEntry(bytes);
      if (!entry.ok) return refused(`federated bundle ${federatedBundles.size + 1}: ${entry.reason}`);
      federatedBundles.set(entry.value.key, entry.value.value);
    }
  }
  if (svids.length === 0) return refused("it holds no SVID, expected at least one");
  return read({ svids, federatedBundles, hasRevocationLists });
}

function readWorkloadSvid(message: Uint8Array): Reading<WorkloadSvid> {
  const fields = readFields(message);
  if (!fields.ok) return fields;
  const missing = MANDATORY.find(([, number]) => lastOf(fields.value, number).length === 0);
  if (missing !== undefined)
    return refused(`the field ${missing[0]} is empty, expected all of ${MANDATORY.map(([name]) => name).join(", ")}`);
  const spiffeId = text(lastOf(fields.value, SVID.spiffeId));
  const hint = text(lastOf(fields.value, SVID.hint));
  if (spiffeId === null || hint === null) return refused("its spiffe_id or hint is not UTF-8");
  const [chain, key, bundle] = [SVID.chain, SVID.key, SVID.bundle].map((number) => lastOf(fields.value, number));
  return read({ spiffeId, hint, chain: chain ?? NOTHING, key: key ?? NOTHING, bundle: bundle ?? NOTHING });
}

function readMapEntry(message: Uint8Array): Reading<{ readonly key: string; readonly value: Uint8Array }> {
  const fields = readFields(message);
  if (!fields.ok) return fields;
  const key = text(lastOf(fields.value, MAP_ENTRY.key));
  return key === null ? refused("its trust domain is not UTF-8") : read({ key, value: lastOf(fields.value, MAP_ENTRY.value) });
}

/** Of a field that should be there once, the last counts; one that is not there is empty. */
function lastOf(fields: readonly WireField[], number: number): Uint8Array {
  return fields.findLast((field) => field.number === number)?.bytes ?? NOTHING;
}

function text(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Who sends something else than UTF-8 gets the same answer, whatever it is.
    return null;
  }
}
