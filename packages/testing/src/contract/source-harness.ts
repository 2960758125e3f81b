import assert from "node:assert/strict";
import type { Clock, ControlSource, MeshSnapshot, Problem } from "@heddle/core";
import { type ContractCheck, eventually, type Passing } from "./check.ts";
import { countTimers } from "./count-timers.ts";

/**
 * What the suite needs: a source and the configuration it reads. When it is opened the configuration says that there is one service,
 * {@link FIRST_SERVICE}, and is valid.
 */
export interface ControlSourceHarness extends Passing {
  readonly source: ControlSource;
  /** What the source measures and waits with; the suite passes it on. */
  readonly clock: Clock;
  /** Makes the configuration valid, with just these services. */
  write(services: readonly string[]): Promise<void>;
  /** Makes the configuration one that cannot be read, or that contradicts itself. */
  breakIt(): Promise<void>;
  /** Takes the configuration away: deletes the file, stops the peer. */
  remove(): Promise<void>;
  close(): Promise<void>;
}

/** The one service of the configuration at the start. */
export const FIRST_SERVICE = "first";

/** How long the suite waits to be sure that nothing comes. */
export const QUIET_MS = 400;

/** A watcher that writes down what it is told, and counts the timers it costs. */
export interface Watcher {
  readonly snapshots: readonly MeshSnapshot[];
  readonly problems: readonly Problem[];
  readonly timers: number;
  /** The services of the last snapshot, sorted. */
  services(): readonly string[];
  /** Waits until the last snapshot has these services. */
  tells(services: readonly string[]): Promise<void>;
  close(): void;
}

export function sourceCheck(
  name: string,
  run: (harness: ControlSourceHarness, watch: () => Watcher) => Promise<void>,
): ContractCheck<ControlSourceHarness> {
  return {
    name,
    async run(harness) {
      const watchers: Watcher[] = [];
      const watch = (): Watcher => {
        const watcher = watchSource(harness);
        watchers.push(watcher);
        return watcher;
      };
      try {
        await run(harness, watch);
      } finally {
        for (const watcher of watchers) watcher.close();
      }
    },
  };
}

function watchSource(harness: ControlSourceHarness): Watcher {
  const snapshots: MeshSnapshot[] = [];
  const problems: Problem[] = [];
  const counted = countTimers(harness.clock);
  const close = harness.source.watch(
    { update: (snapshot) => void snapshots.push(snapshot), problem: (problem) => void problems.push(problem) },
    counted.clock,
  );
  const services = () => (snapshots.at(-1)?.virtualHosts ?? []).map((host) => host.name).sort();
  return {
    snapshots,
    problems,
    services,
    close,
    get timers() {
      return counted.pending.size;
    },
    async tells(expected) {
      const wanted = [...expected].sort().join(", ");
      const told = () => services().join(", ");
      await eventually(harness, () => snapshots.length > 0 && told() === wanted, `an update with the services ${wanted}`).catch(() => {
        const seen = problems.map((problem) => `${problem.where}: ${problem.message}`).join("; ");
        assert.fail(`expected an update with the services ${wanted}; the last of ${snapshots.length} had ${told()}; problems: ${seen}`);
      });
    },
  };
}
