import { setTimeout as pass } from "node:timers/promises";
import { type CertificateSource, type CertificateState, type Problem, type Random, systemClock } from "@heddle/core";
import { type WorkloadApiOptions, workloadApi } from "@heddle/spiffe";
import { type CertificateWish, type IssuedCertificate, root } from "../../packages/core/test/authority.ts";
import { sentSvid, WEB } from "../../packages/spiffe/test/fake-agent.ts";
import { encodeMessage, type SentMessage, type SentSvid } from "../../packages/spiffe/test/workload-encoder.ts";

/** A real source with short waits, and what it told. */
export interface Watched extends Disposable {
  readonly source: CertificateSource;
  readonly states: readonly CertificateState[];
  readonly problems: readonly Problem[];
  close(): void;
  /** Waits until something is so; fails with what was told when it never is. */
  until(isSo: () => boolean): Promise<void>;
}

export function watchAgent(options: WorkloadApiOptions, random: Random = () => 1): Watched {
  const source = workloadApi({ backoff: { base: "20ms", max: "100ms" }, ...options });
  const states: CertificateState[] = [];
  const problems: Problem[] = [];
  const close = source.watch(
    { update: (state) => states.push(state), problem: (problem) => problems.push(problem) },
    { clock: systemClock, random, service: null },
  );
  return {
    source,
    states,
    problems,
    close,
    [Symbol.dispose]: close,
    until: (isSo) => waitUntil(isSo, () => `${states.length} states, and: ${problems.map(({ message }) => message).join(" | ")}`),
  };
}

/** Long, for a busy machine; what it waits for is there as soon as it is. */
const LONGEST_MS = 15_000;
const STEP_MS = 5;

export async function waitUntil(isSo: () => boolean, seen: () => string): Promise<void> {
  const until = performance.now() + LONGEST_MS;
  while (!isSo()) {
    if (performance.now() > until) throw new Error(`it never came; seen: ${seen()}`);
    await pass(STEP_MS);
  }
}

const HOUR = 3_600_000;

/** Over real sockets there is no virtual time: certificates live now. */
function aliveNow(): CertificateWish {
  const now = Date.now();
  return { notBeforeMs: now - HOUR, notAfterMs: now + HOUR };
}

export function rootNow(name: string): IssuedCertificate {
  return root(name, aliveNow());
}

/** An SVID that is valid now, as {@link sentSvid}. */
export function svidNow(authority: IssuedCertificate, id: string = WEB, and: Partial<SentSvid> = {}, wish: CertificateWish = {}): SentSvid {
  return sentSvid(authority, id, and, { ...aliveNow(), ...wish });
}

export function messageNow(authority: IssuedCertificate, and: SentMessage = {}): Buffer {
  return encodeMessage({ svids: [svidNow(authority)], ...and });
}
