/** One row of the table. */
export interface Row {
  readonly step: string;
  readonly seen: string;
  /** Requests of the load generator that ended during the step, and how many of them failed. */
  readonly requests: number;
  readonly failures: number;
  readonly verdict: "held" | "failed" | "not run";
}

export interface Results {
  readonly ok: boolean;
  readonly seconds: number;
  readonly requests: number;
  readonly failures: number;
  /** Why it ended before all steps had run; null: it did not. */
  readonly endedBecause: string | null;
  readonly steps: readonly Row[];
}

const COLUMNS = 100;

/** For people: a row a step, what was seen below it. */
export function asTable({ ok, seconds, requests, failures, endedBecause, steps }: Results): string {
  const digits = String(steps.length).length;
  const width = Math.max(...steps.map(({ step }) => step.length), "all the while".length) + digits + 2;
  const line = (first: string, ...rest: readonly [string, string, string]): string =>
    `${first.padEnd(width)}${rest[0].padStart(10)}${rest[1].padStart(10)}  ${rest[2]}\n`;
  let text = `\n${line("step", "requests", "failures", "verdict")}`;
  for (const [index, row] of steps.entries()) {
    text += line(`${String(index + 1).padStart(digits)}  ${row.step}`, String(row.requests), String(row.failures), row.verdict);
    text += wrapped(row.seen, " ".repeat(digits + 1));
  }
  text += line(`${" ".repeat(digits)}  all the while`, String(requests), String(failures), ok ? "held" : "failed");
  if (endedBecause !== null) text += `\nended early: ${endedBecause}\n`;
  return `${text}\n${ok ? "Every check held" : "Not every check held"}; ${seconds.toFixed(1)} s.\n`;
}

/** Lines below a row: as many words as fit, a longer word on a line of its own. */
function wrapped(seen: string, indent: string): string {
  let text = "";
  let line = indent;
  for (const word of seen.split(/\s+/)) {
    if (line.length + 1 + word.length > COLUMNS && line.trim() !== "") {
      text += `${line}\n`;
      line = indent;
    }
    line += ` ${word}`;
  }
  return line.trim() === "" ? text : `${text}${line}\n`;
}
