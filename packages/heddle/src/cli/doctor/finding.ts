import type { Environment, MeshSnapshot, Problem, Resolve } from "@heddle/core";
import type { InstalledPackage } from "./installed.ts";

/** Something that is, or will be, a cause of trouble. */
export interface Finding {
  readonly severity: "error" | "warning";
  readonly what: string;
  readonly why: string;
  readonly whatToDo: string;
}

/** Everything that the checks know of the world; a test makes its own. */
export interface Facts {
  /** As `process.versions.node`. */
  readonly nodeVersion: string;
  readonly packages: readonly InstalledPackage[];
  readonly env: Environment;
  readonly configuration: Configuration;
  readonly resolve: Resolve;
  /** Whether somebody listens there: null, or why it cannot be reached. */
  connect(target: Target): Promise<string | null>;
}

export interface Configuration {
  /** Why there is none; null: there is. */
  readonly missing: string | null;
  readonly problems: readonly Problem[];
  /** One a source, without those that have none. */
  readonly snapshots: readonly MeshSnapshot[];
}

export type Target = { readonly host: string; readonly port: number } | { readonly path: string };

/** One kind of trouble. */
export interface Check {
  /** What it looks at, in a few words. */
  readonly about: string;
  find(facts: Facts): readonly Finding[] | Promise<readonly Finding[]>;
}
