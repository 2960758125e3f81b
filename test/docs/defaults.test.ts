import { parseDuration } from "@heddle/core";
import { expect, test } from "vitest";
import {
  DEFAULT_BREAKER,
  DEFAULT_CONNECT_TIMEOUT_MS,
  DEFAULT_LIMITS,
  DEFAULT_OUTLIER,
  DEFAULT_RETRY,
  DEFAULT_RETRY_BUDGET,
} from "../../packages/core/src/model/defaults.ts";
import { readPage } from "./page.ts";

interface Row {
  readonly page: string;
  readonly key: string;
  readonly byDefault: string;
  readonly allowed: string;
}

/** Of the tables `key | default | allowed | meaning`. */
function rowsOf(page: string): readonly Row[] {
  return [...readPage(`docs/${page}.md`).matchAll(/^\| `([\w.]+)` \| `([^`|]+)` \| ([^|]*) \|/gm)].map(
    ([, key = "", byDefault = "", allowed = ""]) => ({ page, key, byDefault, allowed: allowed.trim() }),
  );
}

const ROWS: readonly Row[] = ["retry", "timeout", "outlier-detection", "breaker", "limits"].flatMap(rowsOf);

/** Every figure of model/defaults.ts, by the key that sets it; a duration in milliseconds, null: none. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  "retry.maxRetries": DEFAULT_RETRY.maxRetries,
  "retry.on": DEFAULT_RETRY.on,
  "retry.methods": DEFAULT_RETRY.methods,
  "retry.perTryTimeout": DEFAULT_RETRY.perTryTimeoutMs,
  "retry.backoff.base": DEFAULT_RETRY.backoff.baseMs,
  "retry.backoff.max": DEFAULT_RETRY.backoff.maxMs,
  "retry.retryAfter.max": DEFAULT_RETRY.retryAfterMaxMs,
  "retry.budget.percent": DEFAULT_RETRY_BUDGET.percent,
  "retry.budget.minPerSecond": DEFAULT_RETRY_BUDGET.minPerSecond,
  "timeout.total": null,
  "timeout.head": null,
  "timeout.idle": null,
  connectTimeout: DEFAULT_CONNECT_TIMEOUT_MS,
  "outlier.consecutiveFailures": DEFAULT_OUTLIER.consecutiveFailures,
  "outlier.baseEjection": DEFAULT_OUTLIER.baseEjectionMs,
  "outlier.maxEjection": DEFAULT_OUTLIER.maxEjectionMs,
  "outlier.interval": DEFAULT_OUTLIER.intervalMs,
  "outlier.maxEjectionPercent": DEFAULT_OUTLIER.maxEjectionPercent,
  "breaker.consecutiveFailures": DEFAULT_BREAKER.consecutiveFailures,
  "breaker.failurePercent": DEFAULT_BREAKER.failurePercent,
  "breaker.minRequests": DEFAULT_BREAKER.minRequests,
  "breaker.window": DEFAULT_BREAKER.windowMs,
  "breaker.openFor": DEFAULT_BREAKER.openForMs,
  "limits.maxConnections": DEFAULT_LIMITS.maxConnections,
  "limits.maxPending": DEFAULT_LIMITS.maxPending,
  "limits.maxRequests": DEFAULT_LIMITS.maxRequests,
};

/** The sections of docs/configuration.md, which is generated from the schema, that a key's last part stands in. */
const SECTIONS: Readonly<Record<string, string>> = {
  retry: "Service retry",
  "retry.backoff": "Backoff",
  "retry.retryAfter": "Retry after",
  "retry.budget": "Retry budget",
  timeout: "Timeout",
  outlier: "Outlier",
  breaker: "Breaker",
  limits: "Limits",
  "": "Service",
};

function parsed(text: string): unknown {
  if (text === "off") return null;
  if (text.startsWith("[")) return text.slice(1, -1).split(", ").map(parsed);
  return /^\d+$/.test(text) ? Number(text) : (parseDuration(text) ?? text);
}

function allowedBySchema(key: string): string {
  const parts = key.split(".");
  const name = parts.pop();
  const section =
    readPage("docs/configuration.md")
      .split(`\n## ${SECTIONS[parts.join(".")]}\n`)[1]
      ?.split("\n## ")[0] ?? "";
  return (
    section
      .split("\n")
      .find((line) => line.startsWith(`| \`${name}\` |`))
      ?.split("|")[4]
      ?.trim() ?? "no such key"
  );
}

test("every default has a row on the page of its policy, and every row is a default", () => {
  expect([...new Set(ROWS.map(({ key }) => key))].sort()).toEqual(Object.keys(DEFAULTS).sort());
});

test.each(ROWS)("$page has the default and the range of $key", ({ key, byDefault, allowed }) => {
  expect(parsed(byDefault)).toEqual(DEFAULTS[key]);
  const bySchema = allowedBySchema(key);
  expect(bySchema).not.toBe("no such key");
  if (/^\w+ to \w+$/.test(bySchema)) expect(allowed.split(",")[0]).toBe(bySchema);
});
