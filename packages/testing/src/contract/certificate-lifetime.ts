import assert from "node:assert/strict";
import { inspect } from "node:util";
import { type CertificateSourceHarness, certificateCheck, QUIET_MS, surroundingsOf } from "./certificate-harness.ts";
import type { ContractCheck } from "./check.ts";

/** What holds for every source, also one whose certificate never changes. */
export const certificateLifetimeChecks: readonly ContractCheck<CertificateSourceHarness>[] = [
  certificateCheck("has a name that people can read", async ({ source }) => {
    assert.notEqual(source.name.trim(), "");
  }),
  certificateCheck("tells the whole state soon after somebody watches, once, without a problem", async (harness, watch) => {
    const watcher = watch();
    await watcher.tells(null);
    await harness.pass(QUIET_MS);
    assert.equal(watcher.states.length, 1, "updates without a change");
    assert.deepEqual(watcher.problems, []);
  }),
  certificateCheck("tells certificate, key and roots that belong together", async (_, watch) => {
    await watch().tells(null);
  }),
  certificateCheck("keeps the key out of what is printed", async (_, watch) => {
    const state = await watch().tells(null);
    const shown = [inspect(state, { depth: null, showHidden: true, getters: true }), JSON.stringify(state), String(state.certificate)];
    const secrets = secretsOf(state.certificate.privateKey.export({ format: "der", type: "pkcs8" }));
    for (const text of shown)
      for (const secret of secrets) assert.ok(!withoutBreaks(text).includes(secret), "the private key can be read in what is printed");
  }),
  certificateCheck("tells nothing more to a watcher that closed at once", async (harness) => {
    let isClosed = false;
    let calls = 0;
    const told = () => {
      if (isClosed) calls++;
    };
    const close = harness.source.watch({ update: told, problem: told }, surroundingsOf(harness));
    close();
    isClosed = true;
    await harness.pass(QUIET_MS);
    assert.equal(calls, 0, "calls after close");
  }),
  certificateCheck("can be closed twice, and leaves nothing open", async (harness, watch) => {
    const before = harness.openHandles?.();
    const watcher = watch();
    await watcher.tells(null);
    watcher.close();
    watcher.close();
    await harness.pass(QUIET_MS);
    assert.equal(watcher.timers, 0, "timers left");
    assert.equal(harness.openHandles?.(), before, "files, watches or connections left");
  }),
  certificateCheck("can be watched again after it was closed", async (_, watch) => {
    const before = watch();
    await before.tells(null);
    before.close();
    await watch().tells(null);
  }),
  certificateCheck("tells each of two watchers, and goes on telling one when the other is closed", async (harness, watch) => {
    const [one, other] = [watch(), watch()];
    await one.tells(null);
    await other.tells(null);
    one.close();
    const late = watch();
    await late.tells(null);
    await harness.pass(QUIET_MS);
    assert.equal(one.states.length, 1, "updates after close");
    assert.equal(other.states.length, 1, "updates because another watched");
  }),
];

/** The bytes of a key as text would hold them. Its first 40 say of what kind it is, which is no secret. */
function secretsOf(pkcs8: Buffer): readonly string[] {
  const middle = pkcs8.subarray(40, 64);
  const base64 = pkcs8.toString("base64").slice(56, 80);
  return [base64, middle.toString("hex"), [...middle].join(",")];
}

/** `inspect` wraps what is long, and writes bytes with spaces between. */
function withoutBreaks(text: string): string {
  return text.replaceAll(/\\n|\s/g, "");
}
