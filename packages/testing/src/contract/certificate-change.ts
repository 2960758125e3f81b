import assert from "node:assert/strict";
import type { CertificateState } from "@heddle/core";
import { type CertificateSourceHarness, certificateCheck, QUIET_MS } from "./certificate-harness.ts";
import type { ContractCheck } from "./check.ts";

/** What holds for every source whose certificate is renewed. */
export const certificateRotationChecks: readonly ContractCheck<CertificateSourceHarness>[] = [
  certificateCheck("tells each new certificate once, with the roots that stay as the same object", async (harness, watch) => {
    const watcher = watch();
    const first = await watcher.tells(null);
    for (let round = 1; round <= 3; round++) {
      const next = await watcher.tells(await harness.rotate());
      assert.ok(next.bundles === first.bundles, "unchanged bundles are another object");
      await harness.pass(QUIET_MS);
      assert.equal(watcher.states.length, 1 + round, "updates without a change");
    }
    assert.deepEqual(watcher.problems, []);
  }),
  certificateCheck("ends at the last of many quick new certificates", async (harness, watch) => {
    const watcher = watch();
    await watcher.tells(null);
    let last: string | null = null;
    for (let round = 0; round < 5; round++) last = await harness.rotate();
    await watcher.tells(last);
    await harness.pass(QUIET_MS);
    if (last !== null) await watcher.tells(last);
  }),
  certificateCheck("tells a new certificate to every watcher", async (harness, watch) => {
    const watchers = [watch(), watch()];
    for (const watcher of watchers) await watcher.tells(null);
    const issued = await harness.rotate();
    for (const watcher of watchers) await watcher.tells(issued);
  }),
  certificateCheck("tells no new certificate after it was closed, and leaves nothing open", async (harness, watch) => {
    const before = harness.openHandles?.();
    const [closed, open] = [watch(), watch()];
    await closed.tells(null);
    await open.tells(null);
    const issued = await harness.rotate();
    closed.close();
    const told = closed.states.length;
    await open.tells(issued);
    await open.tells(await harness.rotate());
    assert.equal(closed.states.length, told, "updates after close");
    assert.equal(closed.timers, 0, "timers left");
    open.close();
    await harness.pass(QUIET_MS);
    assert.equal(harness.openHandles?.(), before, "files, watches or connections left");
  }),
  certificateCheck("can be closed by the watcher while it is told", async (harness, watch) => {
    let closeIt = () => {};
    const watcher = watch({ update: () => closeIt() });
    const witness = watch();
    await watcher.tells(null);
    await witness.tells(null);
    closeIt = watcher.close;
    const issued = await harness.rotate();
    await watcher.tells(issued);
    await witness.tells(issued);
    await witness.tells(await harness.rotate());
    await harness.pass(QUIET_MS);
    assert.equal(watcher.states.length, 2, "updates after close");
    assert.equal(watcher.timers, 0, "timers left");
  }),
  certificateCheck("does not change a state it told when the certificate changes", async (harness, watch) => {
    const watcher = watch();
    const first = await watcher.tells(null);
    const before = depict(first);
    await watcher.tells(await harness.rotate());
    assert.equal(depict(first), before);
  }),
];

/** What holds for every source whose roots are replaced. */
export const certificateRootChecks: readonly ContractCheck<CertificateSourceHarness>[] = [
  certificateCheck("tells new roots in place of those before, with the certificate that is theirs", async (harness, watch) => {
    const watcher = watch();
    const first = await watcher.tells(null);
    const before = new Set(rootsOf(first));
    const next = await watcher.tells(await harness.replaceRoots());
    assert.ok(next.bundles !== first.bundles, "other roots in the same object");
    assert.deepEqual(
      rootsOf(next).filter((root) => before.has(root)),
      [],
      "roots that are no longer given",
    );
    assert.deepEqual(rootsOf(first), [...before], "the state told before was changed");
    assert.deepEqual(watcher.problems, []);
  }),
];

function rootsOf({ bundles }: CertificateState): readonly string[] {
  return [...bundles.byTrustDomain.values()].flatMap((bundle) => bundle.roots.map((root) => root.fingerprint));
}

function depict(state: CertificateState): string {
  const { certificate, bundles } = state;
  const domains = [...bundles.byTrustDomain].map(([name, bundle]) => [name, bundle.version]);
  return JSON.stringify([certificate.fingerprint, certificate.chain.length, certificate.notAfterMs, bundles.version, domains]);
}
