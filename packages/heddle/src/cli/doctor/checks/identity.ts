import {
  type CertificateState,
  callsWithoutIdentity,
  compileSpiffeIdMatcher,
  type MeshSnapshot,
  type Problem,
  rootsHealth,
  type SpiffeIdMatcher,
  systemClock,
  systemRandom,
} from "@heddle/core";
import { authorityFolder, DEV_DIR, DEV_TRUST_DOMAIN, readAuthorityFolder } from "@heddle/spiffe";
import { identity as identities, identityFromEnvironment } from "../../../identity.ts";
import { demandsIdentity } from "../../assumed-identity.ts";
import type { Check, Facts, Finding } from "../finding.ts";

const LIMIT_MS = 3_000;

/** Reads files alone: an agent would be asked for a key, and a folder of `dev` would be made. */
export const identity: Check = {
  about: "certificates of HEDDLE_IDENTITY",
  async find(facts) {
    const given = facts.env.HEDDLE_IDENTITY ?? "";
    const service = facts.env.HEDDLE_SERVICE || null;
    if (given === "") return withoutIdentity(facts.configuration.snapshots, service);
    try {
      if (given === "dev") return facts.env.NODE_ENV === "production" ? [DEV_IN_PRODUCTION] : devTrustDomain(facts.configuration.snapshots);
      if (given === "workload-api") {
        identities.workloadApi({ environment: facts.env });
        return [];
      }
      const { state, problems } = await firstOf(given);
      if (state === null) return [unusable(problems.map(located).join("; "))];
      return [...problems.map((problem) => warning(located(problem))), ...findingsOf(state, facts)];
    } catch (error) {
      return [unusable(error instanceof Error ? error.message : String(error))];
    }
  },
};

function withoutIdentity(snapshots: readonly MeshSnapshot[], service: string | null): Finding[] {
  if (snapshots.some((one) => demandsIdentity(one, service))) return [NONE_GIVEN];
  return snapshots.flatMap(callsWithoutIdentity).map(({ message }) => ({
    severity: "warning",
    what: `HEDDLE_IDENTITY is not set: ${message}`,
    why: "the service refuses plain text, so that nothing is sent to it",
    whatToDo: NONE_GIVEN.whatToDo,
  }));
}

interface FirstWords {
  readonly state: CertificateState | null;
  /** Of a state that is good: what it is warned of. */
  readonly problems: readonly Problem[];
}

async function firstOf(given: string): Promise<FirstWords> {
  const { promise, resolve } = Promise.withResolvers<CertificateState | null>();
  const problems: Problem[] = [];
  const problem = (one: Problem): void => {
    problems.push(one);
    if (one.severity === "error") resolve(null);
  };
  const source = identityFromEnvironment(given);
  const stop = source.watch({ update: resolve, problem }, { clock: systemClock, random: systemRandom, service: null });
  const silent: Problem = { where: given, message: "nothing could be read within 3 s", severity: "error" };
  const timer = systemClock.setTimer(LIMIT_MS, () => problem(silent));
  const state = await promise;
  systemClock.clearTimer(timer);
  stop();
  return { state, problems };
}

function findingsOf(state: CertificateState, { env, configuration: { snapshots } }: Facts): Finding[] {
  return [...validity(state, systemClock.wallTime()), ...ownId(state, env.HEDDLE_SERVICE ?? "", snapshots), ...roots(state, snapshots)];
}

/** That the certificate ends soon is what the source itself warns of; roots that none of its chain leads to, it refuses. */
function validity(state: CertificateState, now: number): Finding[] {
  const { id, notBeforeMs, notAfterMs } = state.certificate;
  const [from, until, clock] = [notBeforeMs, notAfterMs, now].map((ms) => new Date(ms).toISOString());
  if (now >= notBeforeMs && now <= notAfterMs) return rootsHealth(state, now).warnings.map(warning);
  return [unusable(`the certificate of ${id.text} is valid from ${from} to ${until}, and the clock of this machine says ${clock}`)];
}

/** Whether callers will take this process for the service that it is. */
function ownId({ certificate: { id } }: CertificateState, service: string, snapshots: readonly MeshSnapshot[]): Finding[] {
  const expected = snapshots.flatMap(({ backends }) => backends.get(service)?.tls.identities ?? []);
  if (expected.length === 0 || matchersOf(expected).some((matcher) => matcher.matches(id))) return [];
  return [
    {
      severity: "error",
      what: `the certificate is for ${id.text}, and callers of ${service} expect ${[...new Set(expected)].join(" or ")}`,
      why: "every caller that speaks mutual TLS refuses this process",
      whatToDo: "issue a certificate for that ID, or correct `identities`, `mesh.identityTemplate` or `mesh.trustDomain`",
    },
  ];
}

/** Whether the servers that are called can be verified: each by roots of its own trust domain. */
function roots({ bundles, certificate: { id } }: CertificateState, snapshots: readonly MeshSnapshot[]): Finding[] {
  const missing = new Map<string, Set<string>>();
  for (const { tls, service } of snapshots.flatMap(({ backends }) => [...backends.values()])) {
    if (tls.mode === "disable" || tls.mode === "simple") continue;
    for (const { trustDomain } of matchersOf(tls.identities)) {
      if (bundles.byTrustDomain.has(trustDomain)) continue;
      missing.set(trustDomain, (missing.get(trustDomain) ?? new Set()).add(service));
    }
  }
  return [...missing].map(([trustDomain, services]) => ({
    severity: "error",
    what: `there are no roots of the trust domain ${trustDomain}, of which the servers of ${[...services].join(", ")} are; the certificate is of ${id.trustDomain}`,
    why: "every call to them fails, for nobody can prove to be one of them",
    whatToDo: "give the bundle of that trust domain, or correct `identities` or `mesh.trustDomain`",
  }));
}

/** Of the authority that `identity.dev()` finds in its folder, or would make there. */
function devTrustDomain(snapshots: readonly MeshSnapshot[]): Finding[] {
  const folder = authorityFolder(DEV_DIR);
  const found = readAuthorityFolder(folder);
  // What is wrong with the folder is told by whoever uses it.
  if (!found.ok) return [];
  const own = found.value?.trustDomain ?? DEV_TRUST_DOMAIN;
  const backends = snapshots.flatMap((snapshot) => [...snapshot.backends.values()]);
  const expected = new Set(backends.flatMap(({ tls }) => matchersOf(tls.identities)).map(({ trustDomain }) => trustDomain));
  if (expected.size === 0 || expected.has(own)) return [];
  const names = [...expected].join(", ");
  return [
    {
      severity: "error",
      what: `identity.dev is of the trust domain ${own} (${folder.path}), and the configuration expects servers in ${names}`,
      why: "nobody takes this process for a service of the mesh, and every call by mutual TLS fails with no_identity",
      whatToDo: `heddle ca init --trust-domain ${names} in a new folder, or set mesh.trustDomain to ${own}`,
    },
  ];
}

/** What is no pattern is a mistake in the configuration, and found as such. */
function matchersOf(patterns: readonly string[]): readonly SpiffeIdMatcher[] {
  return patterns.map((pattern) => compileSpiffeIdMatcher(pattern)).flatMap((matcher) => (matcher.ok ? [matcher.value] : []));
}

/** Of several files, which one. */
function located({ where, message }: Problem): string {
  return `${where}: ${message}`;
}

function warning(what: string): Finding {
  return {
    severity: "warning",
    what,
    why: "it works now, and will not always, or not for you alone",
    whatToDo: "look at what writes and renews the files: docs/mtls.md",
  };
}

function unusable(what: string): Finding {
  return {
    severity: "error",
    what,
    why: "joinMesh waits for a certificate until its startTimeout, and then rejects",
    whatToDo: "give certificate, key and roots that belong together and are valid now: docs/mtls.md",
  };
}

const DEV_IN_PRODUCTION: Finding = {
  severity: "error",
  what: "HEDDLE_IDENTITY=dev, and NODE_ENV is production",
  why: "identity.dev gives no identity there, so that joinMesh rejects",
  whatToDo: "set HEDDLE_IDENTITY to workload-api or to the folder of a certificate",
};

const NONE_GIVEN: Finding = {
  severity: "warning",
  what: "the configuration demands mutual TLS, and HEDDLE_IDENTITY is not set",
  why: "a process without an identity does not take this configuration",
  whatToDo: "set it, or give joinMesh the option `identity`, which cannot be seen from here; --identity FOLDER looks at a certificate",
};
