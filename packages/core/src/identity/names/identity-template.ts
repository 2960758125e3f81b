import { quoted, type Reading, refused } from "./reading.ts";
import { parseSpiffeId, type SpiffeId, segmentProblem } from "./spiffe-id.ts";

/** What a template may name. */
export const TEMPLATE_NAMES = ["trustDomain", "namespace", "service"] as const;
export type TemplateName = (typeof TEMPLATE_NAMES)[number];

export interface IdentityTemplate {
  readonly template: string;
  /** Which of the names it uses. */
  readonly names: readonly TemplateName[];
  /** The ID for these values, or why there is none: a value is missing, or is more than one segment. */
  fill(values: Readonly<Partial<Record<TemplateName, string>>>): Reading<SpiffeId>;
}

/**
 * Compiles `mesh.identityTemplate`, such as `spiffe://{trustDomain}/ns/{namespace}/sa/{service}`. It must name `{service}`, or all
 * services would be one.
 */
export function compileIdentityTemplate(template: string): Reading<IdentityTemplate> {
  const names = new Set<TemplateName>();
  for (const [, written = ""] of template.matchAll(/\{([^{}]*)\}/g)) {
    const name = TEMPLATE_NAMES.find((known) => known === written);
    if (name === undefined)
      return refused(
        `identityTemplate ${quoted(template)}: ${quoted(`{${written}}`)} is unknown, expected ${TEMPLATE_NAMES.map((known) => `{${known}}`).join(", ")}`,
      );
    names.add(name);
  }
  if (!names.has("service")) return refused(`identityTemplate ${quoted(template)} must name {service}, or every service would be the same`);
  if (/\{[^/]*\{/.test(template))
    return refused(`identityTemplate ${quoted(template)} has two names in one segment, so that different services could get the same ID`);
  const sample = fillTemplate(template, { trustDomain: "example.org", namespace: "n", service: "s" });
  if (!sample.ok) return refused(`identityTemplate ${quoted(template)} does not make SPIFFE IDs: ${sample.reason}`);
  if (sample.value.path === "") return refused(`identityTemplate ${quoted(template)} must have a path, as every workload's ID has`);
  return { ok: true, value: { template, names: [...names], fill: (values) => fillTemplate(template, values) } };
}

function fillTemplate(template: string, values: Readonly<Partial<Record<TemplateName, string>>>): Reading<SpiffeId> {
  let problem: string | null = null;
  const filled = template.replace(/\{([^{}]*)\}/g, (placeholder, name: TemplateName) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) problem ??= `${placeholder} has no value`;
    else if (segmentProblem(value) !== null) problem ??= `${placeholder}: ${segmentProblem(value)}`;
    return value ?? "";
  });
  return problem === null ? parseSpiffeId(filled) : refused(`identityTemplate ${quoted(template)}: ${problem}`);
}
