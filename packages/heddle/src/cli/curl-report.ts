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

/** Of an answer that a mesh made, its code, and what to do about it on the command line. */
export function refusalOf(headers: HeaderMap): { readonly named: string; readonly hint: string } {
  const code = String(headers["x-heddle-error"] ?? "");
  const hint = code === "unauthenticated" ? HINTS[String(headers["www-authenticate"]).split(" ")[0] ?? ""] : HINTS[code];
  return { named: code === "" ? "" : ` ${code}`, hint: hint === undefined ? "" : `  hint: ${hint}\n` };
}

const SAY_WHO = "say who calls, with --identity FOLDER or HEDDLE_IDENTITY";

/** By the code, and by what a 401 asks for. */
const HINTS: Readonly<Record<string, string | undefined>> = {
  mtls_required: `the service wants mutual TLS, and the call showed no certificate: ${SAY_WHO}`,
  mTLS: `the service wants to know who calls: ${SAY_WHO}`,
  Bearer: "the service wants a valid token: -H 'authorization: Bearer ...'; `why` in its access log says what was wrong with one",
  permission_denied:
    "who calls may not do this: `why` in the access log of the service names the rule, and `heddle explain --from ID` says it too",
};

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
