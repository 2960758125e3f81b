import type { PathValueMatch, PortRange, ValueMatch } from "../../model/authorization.ts";

/** Istio's forms: `*` is present, `*suffix`, `prefix*`, else exact. A star elsewhere is a star. */
export function parseValue(text: string, ignoreCase = false): ValueMatch {
  if (text === "*") return { kind: "present", value: "", ignoreCase: false };
  if (text.startsWith("*")) return { kind: "suffix", value: text.slice(1), ignoreCase };
  if (text.endsWith("*")) return { kind: "prefix", value: text.slice(0, -1), ignoreCase };
  return { kind: "exact", value: text, ignoreCase };
}

/** Istio leaves `spiffe://` out of principals; ours may have it. */
export function parsePrincipal(text: string): ValueMatch {
  const match = parseValue(text);
  const isWhole = match.kind === "exact" || match.kind === "prefix";
  return isWhole && !match.value.startsWith("spiffe://") ? { ...match, value: `spiffe://${match.value}` } : match;
}

/** A path with `{*}` or `{**}` is a template. */
export function parsePath(text: string): PathValueMatch {
  return text.includes("{*}") || text.includes("{**}") ? { kind: "template", value: text } : parseValue(text);
}

/** Hosts are compared in any case. */
export function parseHost(text: string): ValueMatch {
  return parseValue(text, true);
}

/** null: not a port from 1 to 65535. */
export function parsePort(text: string): PortRange | null {
  const port = /^[1-9][0-9]{0,4}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65535 ? { from: port, to: port } : null;
}

/** As people wrote it. */
export function formatValue({ kind, value }: Pick<PathValueMatch, "kind" | "value">): string {
  switch (kind) {
    case "present":
      return "*";
    case "prefix":
      return JSON.stringify(`${value}*`);
    case "suffix":
      return JSON.stringify(`*${value}`);
    case "exact":
    case "template":
      return JSON.stringify(value);
    case "contains":
    case "regex":
      return `${kind} ${JSON.stringify(value)}`;
    default:
      return kind satisfies never;
  }
}
