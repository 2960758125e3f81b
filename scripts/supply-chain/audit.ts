import { spawnSync } from "node:child_process";

export type Audit =
  | { readonly kind: "clean" }
  | { readonly kind: "found"; readonly advisories: readonly string[] }
  /** The registry answers, but knows no advisories: a mirror. */
  | { readonly kind: "not offered"; readonly why: string }
  | { readonly kind: "failed"; readonly why: string };

const LEVELS = ["info", "low", "moderate", "high", "critical"] as const;
export type Level = (typeof LEVELS)[number];

/** Asks the registry that npm is configured for about what is in the lock file, from `level` on. */
export function audit(root: string, level: Level, which: "run time" | "all"): Audit {
  const args = ["audit", "--json", "--package-lock-only", ...(which === "run time" ? ["--omit=dev"] : [])];
  const { stdout, stderr, error } = spawnSync("npm", args, { cwd: root, encoding: "utf8", timeout: 90_000 });
  return error ? { kind: "failed", why: error.message } : readAudit(stdout, level, stderr);
}

/** What `npm audit --json` printed. Anything that is not surely a report is a failure. */
export function readAudit(printed: string, level: Level, stderr = ""): Audit {
  const report = parsed(printed);
  if (report === undefined) return { kind: "failed", why: `npm audit printed no JSON: ${printed}${stderr}` };
  if (isObject(report.metadata) && isObject(report.metadata.vulnerabilities) && isObject(report.vulnerabilities)) {
    const advisories = Object.entries(report.vulnerabilities).filter(([, found]) => isAtLeast(found, level));
    return advisories.length === 0 ? { kind: "clean" } : { kind: "found", advisories: advisories.map(described) };
  }
  const why = typeof report.message === "string" ? report.message : printed;
  return { kind: [404, 405, 501].includes(Number(report.statusCode)) ? "not offered" : "failed", why };
}

function described([name, found]: [string, unknown]): string {
  const { severity, via } = found as { readonly severity?: unknown; readonly via?: unknown };
  const reasons = (Array.isArray(via) ? via : []).map((reason: unknown) =>
    isObject(reason) ? `${reason.title} (${reason.url})` : `through ${reason}`,
  );
  return `${name}, ${severity}: ${reasons.join("; ")}`;
}

/** A severity that is not known counts as one above all. */
function isAtLeast(found: unknown, level: Level): boolean {
  const severity = isObject(found) ? LEVELS.indexOf(found.severity as Level) : -1;
  return severity === -1 || severity >= LEVELS.indexOf(level);
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    // Said by the caller, with the text.
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
