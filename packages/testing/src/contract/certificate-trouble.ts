import assert from "node:assert/strict";
import { type CertificateSourceHarness, type CertificateWatcher, certificateCheck, QUIET_MS } from "./certificate-harness.ts";
import type { ContractCheck } from "./check.ts";

/** What holds for every source that can meet with something it cannot use. */
export const certificateTroubleChecks: readonly ContractCheck<CertificateSourceHarness>[] = [
  certificateCheck("reports trouble once, and keeps the last good state", async (harness, watch) => {
    const watcher = watch();
    await watcher.tells(null);
    await harness.breakIt();
    await reported(harness, watcher);
    assert.equal(watcher.states.length, 1, "an update while nothing could be used");
  }),
  certificateCheck("tells the state again, once, when the trouble is over", async (harness, watch) => {
    const watcher = watch();
    const first = await watcher.tells(null);
    await harness.breakIt();
    await watcher.reports();
    await harness.mend();
    for (let step = 0; step < 100 && watcher.states.length < 2; step++) await harness.pass(100);
    await harness.pass(QUIET_MS);
    assert.equal(watcher.states.length, 2, "updates, the last of which ends the trouble");
    assert.equal(watcher.states[1]?.certificate.fingerprint, first.certificate.fingerprint, "the certificate that was there before");
    assert.ok(watcher.states[1]?.bundles === first.bundles, "unchanged bundles are another object");
  }),
  certificateCheck("reports trouble again after it recovered from it", async (harness, watch) => {
    const watcher = watch();
    await watcher.tells(null);
    for (let round = 0; round < 2; round++) {
      const before = watcher.problems.length;
      await harness.breakIt();
      await watcher.reports(before);
      await watcher.tells(await harness.rotate());
    }
  }),
  certificateCheck("reports trouble that it meets at the start, and recovers", async (harness, watch) => {
    await harness.breakIt();
    const watcher = watch();
    await reported(harness, watcher);
    assert.ok(watcher.states.length <= 1, "more than the last good state");
    await watcher.tells(await harness.rotate());
  }),
  certificateCheck("does not report trouble after it was closed, and leaves nothing open", async (harness, watch) => {
    const before = harness.openHandles?.();
    const watcher = watch();
    await watcher.tells(null);
    watcher.close();
    await harness.breakIt();
    await harness.pass(QUIET_MS);
    assert.deepEqual(watcher.problems, []);
    assert.equal(watcher.timers, 0, "timers left");
    assert.equal(harness.openHandles?.(), before, "files, watches or connections left");
  }),
  certificateCheck("leaves nothing open when it is closed in the middle of trouble", async (harness, watch) => {
    const before = harness.openHandles?.();
    const watcher = watch();
    await watcher.tells(null);
    await harness.breakIt();
    await watcher.reports();
    watcher.close();
    const told = watcher.problems.length;
    await harness.pass(QUIET_MS);
    assert.equal(watcher.problems.length, told, "problems after close");
    assert.equal(watcher.timers, 0, "timers left");
    assert.equal(harness.openHandles?.(), before, "files, watches or connections left");
  }),
];

/** Longer than it takes to look again at what was broken. */
const LOOKS_AGAIN_MS = 6_000;

/** One or more problems, then silence. None may hold a key. */
async function reported(harness: CertificateSourceHarness, watcher: CertificateWatcher): Promise<void> {
  await watcher.reports();
  await harness.pass(QUIET_MS);
  const told = watcher.problems.map(({ where, message }) => `${where}: ${message}`);
  for (const { where, message } of watcher.problems) {
    assert.notEqual(where.trim(), "", "where a problem is");
    assert.notEqual(message.trim(), "", "what a problem is");
    assert.doesNotMatch(message, /BEGIN|[A-Za-z0-9+/]{64}/, "a problem quotes what may be a key");
  }
  assert.equal(new Set(told).size, told.length, `a problem was reported again: ${told.join("; ")}`);
  await harness.pass(LOOKS_AGAIN_MS);
  assert.equal(watcher.problems.length, told.length, "more problems, though nothing changed");
}
