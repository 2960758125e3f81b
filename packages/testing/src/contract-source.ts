import { type ContractCheck, type ContractOptions, registerChecks } from "./contract/check.ts";
import { sourceChangeChecks } from "./contract/source-change.ts";
import type { ControlSourceHarness } from "./contract/source-harness.ts";
import { sourceLifetimeChecks } from "./contract/source-lifetime.ts";
import { sourceBreakChecks, sourceVanishChecks } from "./contract/source-trouble.ts";

/** What the suite may do to the configuration behind a source. Default: everything. */
export interface ControlSourceContractOptions extends ContractOptions<ControlSourceHarness> {
  /** False where what the source reads never changes. */
  readonly changes?: boolean;
  /** False where it cannot be broken. */
  readonly breaks?: boolean;
  /** False where it cannot vanish. */
  readonly vanishes?: boolean;
}

/** Every promise that `ControlSource` makes, as checks. */
export const controlSourceChecks: readonly ContractCheck<ControlSourceHarness>[] = [
  ...sourceLifetimeChecks,
  ...sourceChangeChecks,
  ...sourceBreakChecks,
  ...sourceVanishChecks,
];

/**
 * The suite for a {@link ControlSource} of your own.
 *
 * ```ts
 * controlSourceContract({ name: "my source", test, open: async () => ({ source, clock, write, breakIt, remove, pass, close }) });
 * ```
 */
export function controlSourceContract(options: ControlSourceContractOptions): void {
  registerChecks(sourceLifetimeChecks, options);
  if (options.changes !== false) registerChecks(sourceChangeChecks, options);
  if (options.breaks !== false) registerChecks(sourceBreakChecks, options);
  if (options.vanishes !== false) registerChecks(sourceVanishChecks, options);
}
