import type { HeaderMap, Report } from "@heddle/core";

/** What happened to a call, for people. */
export function reportText(what: string, report: Report | undefined): string {
  if (report === undefined || report.service === "") return `${what}\n`;
  const { service, route, backend, attempts, policyFrom, fallbackFor } = report;
  const lines = [`${what}: service ${service}${named("route", route)}${named("backend", backend)}${policyFrom ? ` (${policyFrom})` : ""}`];
  for (const [index, { endpoint, outcome, ms, why }] of attempts.entries()) {
    lines.push(`  try ${index + 1} at ${endpoint || "no endpoint"}: ${outcome} after ${ms.toFixed(1)} ms${why ? `, ${why}` : ""}`);
  }
  if (attempts.length === 0) lines.push("  nothing was sent");
  if (fallbackFor !== undefined) lines.push(`  the fallback answered in place of ${fallbackFor}`);
  return `${lines.join("\n")}\n`;
}

/** What a failure says beyond what the lines of a report do: without the request before it, and the service, route and tries after it. */
export function bareMessage(message: string, method: string, url: string, report: Report | undefined): string {
  const request = `${method} ${withoutQuery(url)}: `;
  const bare = message.startsWith(request) ? message.slice(request.length) : message;
  const told = report === undefined || report.service === "" ? -1 : bare.lastIndexOf(` (service ${report.service}`);
  return told < 0 ? bare : bare.slice(0, told);
}

function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** As HTTP/1.1 writes it. */
export function headText(status: number, headers: HeaderMap): string {
  const lines = Object.entries(headers).flatMap(([name, values]) => [values ?? []].flat().map((value) => `${name}: ${value}`));
  return `${[`HTTP ${status}`, ...lines].join("\n")}\n\n`;
}

function named(kind: string, name: string): string {
  return name === "" ? "" : `, ${kind} ${name}`;
}
