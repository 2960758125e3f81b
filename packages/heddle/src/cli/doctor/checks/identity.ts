import { type CertificateState, compileSpiffeIdMatcher, type MeshSnapshot, type Problem, systemClock, systemRandom } from "@heddle/core";
import { identityFromEnvironment } from "../../../identity.ts";
import type { Check, Facts, Finding } from "../finding.ts";

const LIMIT_MS = 3_000;
/** As `mesh.health()`: with less of its life left, whoever should have renewed it has failed. */
const LATE_SHARE = 0.2;

/** Files alone: an agent would be asked for a key, and a folder of `dev` would be made. */
export const identity: Check = {
  about: "certificates of HEDDLE_IDENTITY",
  async find({ env, configuration: { snapshots } }) {
    const given = env.HEDDLE_IDENTITY ?? "";
    if (given === "" || given === "dev" || given === "workload-api") return [];
    try {
      const said = await firstOf(given);
      return "certificate" in said ? findingsOf(said, env.HEDDLE_SERVICE ?? "", snapshots) : [unusable(said.message)];
    } catch (error) {
      return [unusable(error instanceof Error ? error.message : String(error))];
    }
  },
};

async function firstOf(given: string): Promise<CertificateState | Problem> {
  const { promise, resolve } = Promise.withResolvers<CertificateState | Problem>();
  const stop = identityFromEnvironment(given).watch(
    { update: resolve, problem: resolve },
    { clock: systemClock, random: systemRandom, service: null },
  );
  const silent: Problem = { where: given, message: `${given}: nothing could be read within 3 s`, severity: "error" };
  const timer = systemClock.setTimer(LIMIT_MS, () => resolve(silent));
  const said = await promise;
  systemClock.clearTimer(timer);
  stop();
  return said;
}

function findingsOf({ certificate }: CertificateState, service: string, snapshots: Facts["configuration"]["snapshots"]): Finding[] {
  const { id, notBeforeMs, notAfterMs } = certificate;
  const now = systemClock.wallTime();
  const findings: Finding[] = [];
  const until = new Date(notAfterMs).toISOString();
  if (now < notBeforeMs || now > notAfterMs)
    findings.push(unusable(`the certificate of ${id.text} is valid from ${new Date(notBeforeMs).toISOString()} to ${until}`));
  else if (notAfterMs - now < (notAfterMs - notBeforeMs) * LATE_SHARE)
    findings.push({
      severity: "warning",
      what: `the certificate of ${id.text} ends ${until}, with less than a fifth of its life left`,
      why: "after that nothing is sent or accepted by mutual TLS",
      whatToDo: "look at what should renew it",
    });
  const expected = expectedOf(service, snapshots);
  const isExpected = expected.some((pattern) => {
    const matcher = compileSpiffeIdMatcher(pattern);
    return matcher.ok && matcher.value.matches(id);
  });
  if (expected.length > 0 && !isExpected)
    findings.push({
      severity: "error",
      what: `the certificate is for ${id.text}, and callers of ${service} expect ${expected.join(" or ")}`,
      why: "every caller that speaks mutual TLS refuses this process",
      whatToDo: "issue a certificate for that ID, or correct `identities` or `mesh.identityTemplate`",
    });
  return findings;
}

function expectedOf(service: string, snapshots: readonly MeshSnapshot[]): readonly string[] {
  return [...new Set(snapshots.flatMap(({ backends }) => backends.get(service)?.tls.identities ?? []))];
}

function unusable(what: string): Finding {
  return {
    severity: "error",
    what,
    why: "joinMesh waits for a certificate until its startTimeout, and then rejects",
    whatToDo: "give certificate, key and roots that belong together: docs/mtls.md",
  };
}
