/** Where a command writes; the process's streams, or a test's. */
export interface Output {
  readonly out: { write(text: string | Uint8Array): unknown };
  readonly err: { write(text: string): unknown };
}

/** What the process ends with. */
export const EXIT = {
  ok: 0,
  /** What was asked about is not well: the document has mistakes, a step of the demo failed. */
  failed: 1,
  /** The command line itself was wrong. */
  usage: 2,
} as const;

export interface Command {
  /** One line: `validate FILE [--json]`. */
  readonly usage: string;
  readonly summary: string;
  run(args: readonly string[], output: Output): Promise<number>;
}

/** The command line cannot be understood; `run` prints the usage with it. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
