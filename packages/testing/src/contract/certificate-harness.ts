import assert from "node:assert/strict";
import {
  type CertificateListener,
  type CertificateSource,
  type CertificateState,
  type CertificateSurroundings,
  type Clock,
  type Problem,
  seededRandom,
} from "@heddle/core";
import { setProblem } from "./certificate-set.ts";
import { type ContractCheck, eventually, type Passing } from "./check.ts";
import { countTimers } from "./count-timers.ts";

/**
 * What the suite needs: a source and what it reads, be that files or a peer. When it is opened there is a certificate, valid for hours,
 * and the roots of its own trust domain.
 */
export interface CertificateSourceHarness extends Passing {
  readonly source: CertificateSource;
  /** What the source measures and waits with; the suite passes it on. */
  readonly clock: Clock;
  /** What the process joins as. Default: null, it is a client only. */
  readonly service?: string | null;
  /**
   * Makes what the source reads whole, with a new certificate of a new key by the same roots. Gives the certificate's fingerprint, or null
   * where nobody but the source knows it.
   */
  rotate(): Promise<string | null>;
  /** The same with a certificate of new roots, which take the place of those before. */
  replaceRoots(): Promise<string | null>;
  /** Makes it unusable: a key of another certificate, a file cut short, a peer that is gone. */
  breakIt(): Promise<void>;
  /** Makes it what it was before it was broken: the same certificate, the same roots. */
  mend(): Promise<void>;
  /** How many files, watches and connections are open for the source. Left out: not looked at. */
  openHandles?(): number;
  close(): Promise<void>;
}

/** How long the suite waits to be sure that nothing comes. */
export const QUIET_MS = 400;

/** A watcher that writes down what it is told, and counts the timers it costs. */
export interface CertificateWatcher {
  readonly states: readonly CertificateState[];
  readonly problems: readonly Problem[];
  readonly timers: number;
  /** Waits for a state with this certificate; null: with another one than the last that was waited for. */
  tells(fingerprint: string | null): Promise<CertificateState>;
  /** Waits for a problem that was not there when there were `before`. */
  reports(before?: number): Promise<void>;
  close(): void;
}

type Watch = (and?: Partial<CertificateListener>) => CertificateWatcher;

/** A check over watchers of its own. Whatever else it is about: every state that one of them is told is whole. */
export function certificateCheck(
  name: string,
  run: (harness: CertificateSourceHarness, watch: Watch) => Promise<void>,
): ContractCheck<CertificateSourceHarness> {
  return {
    name,
    async run(harness) {
      const watchers: CertificateWatcher[] = [];
      const torn: string[] = [];
      const watch: Watch = (and) => {
        const watcher = watchCertificates(harness, torn, and);
        watchers.push(watcher);
        return watcher;
      };
      try {
        await run(harness, watch);
      } finally {
        for (const watcher of watchers) watcher.close();
      }
      assert.deepEqual(torn, [], "states whose parts do not belong together");
    },
  };
}

function watchCertificates(harness: CertificateSourceHarness, torn: string[], and: Partial<CertificateListener> = {}): CertificateWatcher {
  const states: CertificateState[] = [];
  const problems: Problem[] = [];
  let waitedFor: string | undefined;
  const counted = countTimers(harness.clock);
  const close = harness.source.watch(
    {
      update(state) {
        states.push(state);
        const problem = setProblem(state, harness.clock.wallTime());
        if (problem !== null) torn.push(problem);
        and.update?.(state);
      },
      problem(problem) {
        problems.push(problem);
        and.problem?.(problem);
      },
    },
    surroundingsOf(harness, counted.clock),
  );
  const seen = () => problems.map(({ where, message }) => `${where}: ${message}`).join("; ");
  return {
    states,
    problems,
    close,
    get timers() {
      return counted.pending.size;
    },
    async tells(fingerprint) {
      const last = () => states.at(-1)?.certificate.fingerprint;
      const isTold = () => last() !== undefined && (fingerprint === null ? last() !== waitedFor : last() === fingerprint);
      await eventually(harness, isTold, "a state").catch(() => {
        const wanted = fingerprint === null ? "another certificate" : `the certificate ${fingerprint}`;
        assert.fail(`expected an update with ${wanted}; the last of ${states.length} had ${last()}; problems: ${seen()}`);
      });
      waitedFor = last();
      return states.at(-1) as CertificateState;
    },
    reports: (before = 0) => eventually(harness, () => problems.length > before, "a problem"),
  };
}

/** What the suite lets a source know: chance is the same in every run. */
export function surroundingsOf({ clock, service = null }: CertificateSourceHarness, counted: Clock = clock): CertificateSurroundings {
  return { clock: counted, random: seededRandom(1), service };
}
