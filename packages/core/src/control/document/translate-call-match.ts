import type { CallMatchDocument } from "../../gen/document.ts";
import type { PathMatch } from "../../model/match.ts";

type Part = CallMatchDocument["service"];

/** The path of a call is `/package.Service/Method`, so that service and method are a condition on it. */
export function callMatch({ service, method }: CallMatchDocument): PathMatch {
  return { ...condition(service, method), ignoreCase: false, not: false };
}

function condition(service: Part, method: Part): Pick<PathMatch, "kind" | "value"> {
  if (service?.regex !== undefined || method?.regex !== undefined)
    return { kind: "regex", value: `/${expression(service)}/${expression(method)}` };
  if (service?.exact === undefined) return { kind: "suffix", value: `/${method?.exact ?? ""}` };
  if (method?.exact === undefined) return { kind: "string-prefix", value: `/${service.exact}/` };
  return { kind: "exact", value: `/${service.exact}/${method.exact}` };
}

function expression(part: Part): string {
  if (part?.regex !== undefined) return `(?:${part.regex})`;
  // Names hold letters, digits, underscores and dots.
  return part?.exact === undefined ? "[^/]+" : part.exact.replaceAll(".", "\\.");
}
