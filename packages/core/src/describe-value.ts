/** A value that a caller gave, for a message about it: as JSON where it has any. Never throws. */
export function describeValue(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // It refers to itself, or throws when it is looked at: what the message is about is that it is there.
    return "an object";
  }
}
