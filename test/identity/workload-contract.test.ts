import { setTimeout as pass } from "node:timers/promises";
import { type Clock, systemClock } from "@heddle/core";
import { workloadApi } from "@heddle/spiffe";
import { type CertificateSourceHarness, certificateSourceContract, virtualClock } from "@heddle/testing";
import { test } from "vitest";
import { fingerprintOf } from "../../packages/core/src/identity/x509.ts";
import { type IssuedCertificate, root } from "../../packages/core/test/authority.ts";
import { workloadSource } from "../../packages/spiffe/src/workload-source.ts";
import { sentSvid } from "../../packages/spiffe/test/fake-agent.ts";
import { encodeMessage, type SentSvid } from "../../packages/spiffe/test/workload-encoder.ts";
import { workloadAgent } from "./workload-agent.ts";
import { rootNow, svidNow } from "./workload-watch.ts";

/** What an agent has to say, as the suite wants it changed. */
class Issued {
  readonly #newRoot: () => IssuedCertificate;
  readonly #issue: (authority: IssuedCertificate) => SentSvid;
  #root: IssuedCertificate;
  message: Buffer;

  constructor(newRoot: () => IssuedCertificate, issue: (authority: IssuedCertificate) => SentSvid) {
    this.#newRoot = newRoot;
    this.#issue = issue;
    this.#root = newRoot();
    this.message = encodeMessage({ svids: [issue(this.#root)] });
  }

  /** Gives the fingerprint of the new certificate. */
  renew(withNewRoots: boolean): string {
    if (withNewRoots) this.#root = this.#newRoot();
    const svid = this.#issue(this.#root);
    this.message = encodeMessage({ svids: [svid] });
    return fingerprintOf(svid.chain ?? new Uint8Array());
  }
}

const backoff = { baseMs: 50, maxMs: 200 };

certificateSourceContract({
  name: "the Workload API, which sends garbage, in virtual time",
  test,
  open(): CertificateSourceHarness {
    const clock = virtualClock();
    const around = { notBeforeMs: clock.wallTime() - 3_600_000, notAfterMs: clock.wallTime() + 24 * 3_600_000 };
    const issued = new Issued(
      () => root("shop", around),
      (authority) => sentSvid(authority, undefined, {}, around),
    );
    let isBroken = false;
    const streams = new Set<(bytes: Uint8Array) => void>();
    const message = () => (isBroken ? Buffer.from("garbage") : issued.message);
    const say = () => {
      for (const tell of [...streams]) if (streams.has(tell)) tell(message());
    };
    return {
      clock,
      source: workloadSource({
        address: { text: "unix:///run/agent.sock", target: "unix:/run/agent.sock", isRemote: false },
        choice: { id: null, hint: null },
        backoff,
        responseTimeoutMs: 60_000,
        openStream(listener) {
          const tell = (bytes: Uint8Array) => listener.message(bytes);
          streams.add(tell);
          queueMicrotask(() => streams.has(tell) && tell(message()));
          return () => void streams.delete(tell);
        },
      }),
      async rotate() {
        isBroken = false;
        const fingerprint = issued.renew(false);
        say();
        return fingerprint;
      },
      async replaceRoots() {
        const fingerprint = issued.renew(true);
        say();
        return fingerprint;
      },
      async breakIt() {
        isBroken = true;
        say();
      },
      async mend() {
        isBroken = false;
        say();
      },
      openHandles: () => streams.size,
      pass: (ms) => clock.advance(ms),
      close: async () => {},
    };
  },
});

// Real sockets and real time, side by side: most of it is waiting.
for (const where of ["unix", "tcp"] as const) {
  certificateSourceContract({
    name: `the Workload API over ${where}, whose agent is gone`,
    test: (name, run) => test.concurrent(name, run),
    async open(): Promise<CertificateSourceHarness> {
      const agent = await workloadAgent(where);
      const issued = new Issued(() => rootNow("shop"), svidNow);
      agent.send(issued.message);
      const renew = async (withNewRoots: boolean) => {
        const fingerprint = issued.renew(withNewRoots);
        agent.send(issued.message);
        await agent.start();
        return fingerprint;
      };
      return {
        clock: systemClock satisfies Clock,
        source: workloadApi({ address: agent.address, backoff: { base: backoff.baseMs, max: backoff.maxMs } }),
        rotate: () => renew(false),
        replaceRoots: () => renew(true),
        breakIt: () => agent.stop(),
        mend: () => agent.start(),
        openHandles: () => agent.open,
        pass: async (ms) => void (await pass(ms)),
        close: async () => void (await agent[Symbol.asyncDispose]()),
      };
    },
  });
}
