import type { JsonObject } from "./token-json.ts";

/** Letters, digits, signs and blanks of ASCII, and no blank at an end, which a header would lose. */
const PLAIN = /^(?:[!-~](?:[ -~]*[!-~])?)?$/;

/**
 * A claim as the value of a header: text as it is, numbers and booleans as JSON has them, a list of such with commas between. undefined,
 * and so no header: there is no such claim, it is an object or null, it holds what a header cannot, or one of a list holds a comma,
 * which would read as two.
 */
export function claimText(claims: JsonObject, path: readonly string[]): string | undefined {
  let value: unknown = claims;
  for (const name of path) {
    if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return undefined;
    value = (value as JsonObject)[name];
  }
  if (!Array.isArray(value)) return scalarText(value);
  const texts = value.map(scalarText);
  return texts.every((text) => text !== undefined && text !== "" && !text.includes(",")) ? texts.join(",") : undefined;
}

function scalarText(value: unknown): string | undefined {
  switch (typeof value) {
    case "string":
      return PLAIN.test(value) ? value : undefined;
    case "number":
    case "boolean":
      return String(value);
    default:
      return undefined;
  }
}
